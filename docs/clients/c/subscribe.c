// Appends each message to the file of the first argument, once: `partition offset key value`. Ends well on SIGTERM. Environment as for publish.c.
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARTITIONS = 1000 };  // more than the topic has
static volatile sig_atomic_t running = 1;
static long long done[PARTITIONS];  // the last offset of each partition that is in the file, plus 1

static void stop(int number) { running = number - number; }  // the loop finishes what it has, and marks it

static redisContext *connect_again(redisContext *bus) {
  if (bus) redisFree(bus);
  bus = redisConnectWithTimeout(getenv("DATABUS_HOST"), atoi(getenv("DATABUS_PORT")), (struct timeval){5, 0});
  if (bus && !bus->err) redisSetTimeout(bus, (struct timeval){10, 0});
  redisReply *auth = redisCommand(bus, "AUTH %s&role=sub&offset=oldest", getenv("DATABUS_APP"));
  if (auth && auth->type == REDIS_REPLY_ERROR) {
    fprintf(stderr, "%s\n", auth->str);
    exit(1);
  }
  freeReplyObject(auth);
  return bus;
}

// put writes it in one line, whatever is in it; there may be no key, and a tombstone has no value.
static void put(FILE *output, const redisReply *text) {
  putc(' ', output);
  if (text->type == REDIS_REPLY_NIL) fputs("null", output);
  for (size_t i = 0; i < text->len && text->type == REDIS_REPLY_STRING; i++) {
    if (text->str[i] == '\n') fputs("\\n", output);
    else putc(text->str[i], output);
  }
}

int main(int count, char **arguments) {
  FILE *output = count > 1 ? fopen(arguments[1], "a+") : NULL;
  if (!output) return 1;
  // What was done is known from the results themselves: they tell what comes a second time, after a crash before the mark, say.
  int partition;
  for (long long offset; fscanf(output, "%d %lld%*[^\n]", &partition, &offset) == 2;) done[partition] = offset + 1;
  signal(SIGTERM, stop);
  redisContext *bus = connect_again(NULL);
  while (running) {
    redisReply *messages = redisCommand(bus, "MGET raw WAIT 1000");
    if (!messages || messages->type != REDIS_REPLY_ARRAY) {  // databus or Kafka is away for a while
      fprintf(stderr, "again: %s\n", messages ? messages->str : bus->errstr);
      freeReplyObject(messages);
      usleep(500000);
      if (bus->err) bus = connect_again(bus);
      continue;
    }
    char read[PARTITIONS] = {0};
    for (size_t i = 0; i < messages->elements; i++) {
      redisReply **message = messages->element[i]->element;  // partition, offset, timestamp, key, value, headers
      partition = (int)message[0]->integer;
      if (partition >= PARTITIONS) return 1;
      read[partition] = 1;
      if (message[1]->integer < done[partition]) continue;
      fprintf(output, "%d %lld", partition, message[1]->integer);
      put(output, message[3]);
      put(output, message[4]);
      putc('\n', output);
      done[partition] = message[1]->integer + 1;
    }
    fflush(output);
    for (partition = 0; partition < PARTITIONS; partition++) {  // STALE: another one reads this partition now, and gets it again
      if (read[partition]) freeReplyObject(redisCommand(bus, "SET %d %lld", partition, done[partition] - 1));
    }
    freeReplyObject(messages);
  }
  redisFree(bus);
}
