// Publishes the lines of stdin, `key value`. DATABUS_HOST, DATABUS_PORT; DATABUS_APP is key:secret@group/topic=TOPIC.
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static redisContext *bus;

// command gives the reply, or NULL where the connection broke; then the next one connects again.
static redisReply *command(const char *key, const char *value) {
  if (!bus) {
    bus = redisConnectWithTimeout(getenv("DATABUS_HOST"), atoi(getenv("DATABUS_PORT")), (struct timeval){5, 0});
    if (bus && !bus->err) redisSetTimeout(bus, (struct timeval){40, 0});  // longer than databus tries to write a record, 30 s
    redisReply *auth = redisCommand(bus, "AUTH %s&role=pub", getenv("DATABUS_APP"));
    if (auth && auth->type == REDIS_REPLY_ERROR) return auth;
    freeReplyObject(auth);
  }
  redisReply *reply = bus->err ? NULL : redisCommand(bus, "SET %s %s", key, value);
  if (!reply) {
    fprintf(stderr, "again: %s; it may have been written\n", bus->errstr);
    redisFree(bus);
    bus = NULL;
  }
  return reply;
}

// publish returns when Kafka has the record. After a doubt there may be two: carry an id in the value if that matters to who reads.
static void publish(const char *key, const char *value) {
  for (;; usleep(200000)) {
    redisReply *reply = command(key, value);
    if (!reply) continue;
    int written = reply->type == REDIS_REPLY_STATUS;
    int again = !strncmp(reply->str, "ERR not written", 15) || !strncmp(reply->str, "ERR may have been written", 25);
    if (!written) fprintf(stderr, "%s%s\n", again ? "again: " : "", reply->str);
    freeReplyObject(reply);
    if (written) return;
    if (!again) exit(1);  // a wrong secret, too large: trying again would not help
  }
}

int main(void) {
  char *line = NULL;
  for (size_t size = 0; getline(&line, &size, stdin) >= 0;) {
    line[strcspn(line, "\n")] = 0;
    char *value = strchr(line, ' ');
    if (value) *value++ = 0;
    publish(line, value ? value : "");
  }
  free(line);
}
