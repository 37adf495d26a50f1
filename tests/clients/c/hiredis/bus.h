// What the cases of main.c do with hiredis: connections, commands, messages.
#include <hiredis/hiredis.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MANY 2000

struct who {
  const char *secret, *group, *role;
};
struct message {
  char key[100], value[400];
  long partition, offset;
  int metadata;
  size_t length;
};

static jmp_buf out;
static char why[400];
static char name[100];
static char last[400];  // the error of the command before
static struct message found[MANY];

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, sizeof why, format, arguments);
  va_end(arguments);
  longjmp(out, 1);
}

static const char *ask(const char *question) {
  static char answer[100];
  printf("? %s\n", question);
  if (!fgets(answer, sizeof answer, stdin)) exit(1);
  answer[strcspn(answer, "\n")] = 0;
  return answer;
}

// ---- connections ----

static struct who identity(const char *role) {
  return (struct who){getenv("SECRET"), getenv("GROUP"), role};
}

// authenticate sends AUTH in one of its forms; the reply is the caller's.
static redisReply *authenticate(redisContext *c, const char *form, struct who who) {
  char whole[400], user[400];
  snprintf(whole, sizeof whole, "%s:%s@%s/topic=%s&role=%s", getenv("KEY"), who.secret, who.group, getenv("TOPIC"), who.role);
  snprintf(user, sizeof user, "%s@%s/topic=%s&role=%s", getenv("KEY"), who.group, getenv("TOPIC"), who.role);
  if (!strcmp(form, "auth-user-password")) return redisCommand(c, "AUTH default %s", whole);
  if (!strcmp(form, "auth-user-secret")) return redisCommand(c, "AUTH %s %s", user, who.secret);
  if (!strcmp(form, "auth-hello")) return redisCommand(c, "HELLO 3 AUTH default %s", whole);
  return redisCommand(c, "AUTH %s", whole);
}

static redisContext *connect_to(const char *address, const char *form, struct who who) {
  char host[100];
  int port;
  if (sscanf(address, "%99[^:]:%d", host, &port) != 2) fail("no address: %s", address);
  redisContext *c = redisConnectWithTimeout(host, port, (struct timeval){5, 0});
  if (!c || c->err) fail("connect: %s", c ? c->errstr : "no memory");
  redisSetTimeout(c, (struct timeval){5, 0});
  redisReply *reply = authenticate(c, form, who);
  if (!reply) fail("AUTH: %s", c->errstr);
  if (reply->type == REDIS_REPLY_ERROR) {
    redisFree(c);
    fail("%s", reply->str);
  }
  freeReplyObject(reply);
  return c;
}

static redisContext *publisher(void) { return connect_to(getenv("DATABUS"), "auth-password", identity("pub")); }
static redisContext *subscriber(void) { return connect_to(getenv("DATABUS"), "auth-password", identity("sub")); }

// come_back is what hiredis leaves to the program: connect again, and authenticate again.
static int come_back(redisContext *c, const char *role) {
  if (!c->err) return 1;
  if (redisReconnect(c) != REDIS_OK) return 0;
  redisSetTimeout(c, (struct timeval){5, 0});
  redisReply *reply = authenticate(c, "auth-password", identity(role));
  int well = reply && reply->type == REDIS_REPLY_STATUS;
  if (reply) freeReplyObject(reply);
  return well;
}

// ---- commands ----

static int is_ok(redisContext *c, redisReply *reply) {
  int well = reply && reply->type == REDIS_REPLY_STATUS && !strcmp(reply->str, "OK");
  if (!well) snprintf(last, sizeof last, "%s", reply ? reply->str ? reply->str : "no status" : c->errstr);
  if (reply) freeReplyObject(reply);
  return well;
}

static int try_set(redisContext *c, const char *key, const char *value, size_t length) {
  return is_ok(c, redisCommand(c, "SET %s %b", key, value, length));
}

static void set(redisContext *c, const char *key, const char *value, size_t length) {
  if (!try_set(c, key, value, length)) fail("SET: %s", last);
}

static int try_mark(redisContext *c, const struct message *m) {
  return is_ok(c, redisCommand(c, "SET %ld %ld", m->partition, m->offset));
}

// number gives the number behind "name": in the JSON that databus writes.
static long number(const char *text, const char *field) {
  const char *at = strstr(text, field);
  return at ? strtol(at + strlen(field), NULL, 10) : -1;
}

// parse takes a message apart. The topic behind the value has no quotes inside, so what follows the value is found from the end.
static struct message parse(const char *text, size_t length) {
  struct message m = {0};
  const char *value = strstr(text, "\",\"value\":"), *rest = NULL;
  for (const char *at = value; at && (at = strstr(at + 1, ",\"topic\":\""));) rest = at;
  if (!value || !rest) fail("not a message: %.100s", text);
  snprintf(m.key, sizeof m.key, "%.*s", (int)(value - text) - 8, text + 8);
  m.length = rest - (value + 10);
  snprintf(m.value, sizeof m.value, "%.*s", (int)m.length, value + 10);
  m.partition = number(rest, "\"partition\":");
  m.offset = number(rest, "\"offset\":");
  m.metadata = strstr(rest, "\"metadata\":{\"trace\":\"7\"}}") != NULL;
  (void)length;
  return m;
}

// next_messages gives how many messages there are in `into`, or -1.
static int next_messages(redisContext *c, struct message *into, int room) {
  redisReply *reply = redisCommand(c, "MGET COUNT %d WAIT 1000", room < 1000 ? room : 1000);
  if (!reply || reply->type != REDIS_REPLY_ARRAY) {
    snprintf(last, sizeof last, "%s", reply ? reply->str : c->errstr);
    if (reply) freeReplyObject(reply);
    return -1;
  }
  int count = (int)reply->elements;
  for (int i = 0; i < count; i++) into[i] = parse(reply->element[i]->str, reply->element[i]->len);
  freeReplyObject(reply);
  return count;
}

// take fills `found` with the next messages of this key.
static void take(redisContext *c, const char *key, int count, int marks) {
  static struct message some[MANY];
  time_t limit = time(NULL) + 60;
  for (int have = 0; have < count;) {
    int more = next_messages(c, some, count - have);
    if (more < 0) fail("MGET: %s", last);
    if (time(NULL) > limit) fail("%d of %d came", have, count);
    for (int i = 0; i < more; i++) {
      if (!strcmp(some[i].key, key)) found[have++] = some[i];
      if (marks && !try_mark(c, &some[i])) fail("mark: %s", last);
    }
  }
}
