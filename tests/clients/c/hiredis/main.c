// The cases of the matrix with hiredis; ../../matrix tells what a program prints and is told. A case that fails leaves by longjmp.
#include "bus.h"

static const char *key_of(const char *test) {
  static char key[200];
  snprintf(key, sizeof key, "%s-%s", name, test);
  return key;
}

static const char *authenticates(const char *form) {
  if (strstr(form, "url")) return "!hiredis knows no URLs";
  if (!strcmp(form, "auth-hello") && HIREDIS_MAJOR < 1) return "!RESP3 came with version 1";
  redisContext *c = connect_to(getenv("DATABUS"), form, identity("pub"));
  set(c, "auth", "1", 1);
  redisFree(c);
  c = connect_to(getenv("DATABUS"), form, identity("sub"));
  static struct message some[10];
  if (next_messages(c, some, 10) < 0) fail("MGET: %s", last);
  redisFree(c);
  return NULL;
}

static const char *at_once(const char *test) {
  (void)test;
  return "!a connection is for one thread at a time";
}

static const char *refused(const char *test) {
  int wrong = !strcmp(test, "wrong-secret");
  struct who who = identity("sub");
  if (wrong) who.secret = "wrong"; else who.group = getenv("PUB_GROUP");
  jmp_buf outer;
  memcpy(&outer, &out, sizeof out);
  int failed = setjmp(out);
  if (!failed) redisFree(connect_to(getenv("DATABUS"), "auth-password", who));
  memcpy(&out, &outer, sizeof out);
  if (!failed) fail("no error");
  if (strncmp(why, wrong ? "WRONGPASS " : "NOPERM ", wrong ? 10 : 7)) fail("got %s", strdup(why));
  return wrong ? "a reply of the type REDIS_REPLY_ERROR that begins with `WRONGPASS`" : "a reply of the type REDIS_REPLY_ERROR that begins with `NOPERM`";
}

static void expect(const char *test, const char *value) {
  redisContext *c = subscriber();
  take(c, key_of(test), 1, 1);
  if (strcmp(found[0].value, value)) fail("got %s, want %s", found[0].value, value);
  redisFree(c);
}

static const char *publish(const char *test) {
  redisContext *c = publisher();
  set(c, key_of(test), "\"one\"", 5);
  redisFree(c);
  expect(test, "\"one\"");
  return NULL;
}

static void pipeline(const char *test, int count, int transaction) {
  redisContext *c = publisher();
  if (transaction) redisAppendCommand(c, "MULTI");
  for (int i = 0; i < count; i++) redisAppendCommand(c, "SET %s %d", key_of(test), i);
  if (transaction) redisAppendCommand(c, "EXEC");
  redisReply *reply;
  for (int i = 0; i < count + 2 * transaction; i++) {
    if (redisGetReply(c, (void **)&reply) != REDIS_OK) fail("%s", c->errstr);
    if (reply->type == REDIS_REPLY_ERROR) fail("%s", reply->str);
    if (reply->type == REDIS_REPLY_ARRAY && (int)reply->elements != count) fail("%d replies", (int)reply->elements);
    freeReplyObject(reply);
  }
  redisFree(c);
}

static void numbers(int count, int first) {
  for (int i = 0; i < count; i++) {
    if (atoi(found[i].value) != first + i) fail("got %s, want %d", found[i].value, first + i);
  }
}

static const char *publish_pipeline(const char *test) {
  int transaction = !strcmp(test, "publish-transaction"), count = transaction ? 2 : 500;
  pipeline(test, count, transaction);
  redisContext *c = subscriber();
  take(c, key_of(test), count, 1);
  numbers(count, 0);
  redisFree(c);
  return NULL;
}

static const char *megabyte(const char *test) {
  static char value[999900];
  memset(value, 'x', sizeof value);
  value[0] = value[sizeof value - 1] = '"';
  redisContext *c = publisher();
  set(c, key_of(test), value, sizeof value);
  redisFree(c);
  c = subscriber();
  take(c, key_of(test), 1, 1);
  if (found[0].length != sizeof value) fail("%zu bytes came", found[0].length);
  redisFree(c);
  return NULL;
}

static const char *binary(const char *test) {
  char every[256];
  for (int i = 0; i < 256; i++) every[i] = (char)i;
  redisContext *c = publisher();
  set(c, key_of(test), every, sizeof every);
  redisFree(c);
  c = subscriber();
  take(c, key_of(test), 1, 1);
  if (strncmp(found[0].value, "{\"base64\":\"AAECAwQF", 19) || found[0].length != 344 + 13) fail("got %s", found[0].value);
  redisFree(c);
  return NULL;
}

static const char *metadata(const char *test) {
  redisContext *c = publisher();
  if (!is_ok(c, redisCommand(c, "HSET %s %b 1", key_of(test), "\n\n\n\5trace\22\0017", (size_t)12))) fail("HSET: %s", last);
  redisFree(c);
  c = subscriber();
  take(c, key_of(test), 1, 1);
  if (!found[0].metadata) fail("no metadata");
  redisFree(c);
  return NULL;
}

static const char *tombstone(const char *test) {
  redisContext *c = publisher();
  redisReply *reply = redisCommand(c, "DEL %s", key_of(test));
  if (!reply || reply->integer != 1) fail("DEL: %s", c->errstr);
  freeReplyObject(reply);
  redisFree(c);
  expect(test, "null");
  return NULL;
}

static const char *consume(const char *test) {
  pipeline(test, 10, 0);
  redisContext *c = subscriber();
  take(c, key_of(test), 10, 0);
  if (!try_mark(c, &found[3])) fail("mark: %s", last);
  redisFree(c);
  c = subscriber();
  take(c, key_of(test), 6, 1);
  numbers(6, 4);
  redisFree(c);
  return NULL;
}

static const char *restart(const char *test) {
  enum { MOST = 100000 };
  static char missing[MOST];
  char key[200], value[20];
  snprintf(key, sizeof key, "%s", key_of(test));
  redisContext *pub = publisher(), *sub = subscriber();
  set(pub, key, "0", 1);
  take(sub, key, 1, 1);
  memset(missing, 0, sizeof missing);
  ask(test);
  time_t limit = time(NULL) + 240;
  int all = 0, over = 0;
  for (int i = 1, row = 0; row < 20 && i < MOST; i++) {
    snprintf(value, sizeof value, "%d", i);
    if (come_back(pub, "pub") && try_set(pub, key, value, strlen(value))) {
      missing[i] = 1, all++, row++;
    } else {
      fprintf(stderr, "SET: %s\n", last);
      row = 0;
      usleep(100000);
    }
    usleep(10000);
    if (!over) over = !strcmp(ask("over"), "yes"), row = 0;
    if (time(NULL) > limit) fail("does not come back");
  }
  int left = all;
  for (limit += 120; left > 0;) {
    if (time(NULL) > limit) fail("%d of %d lost", left, all);
    int more = come_back(sub, "sub") ? next_messages(sub, found, MANY) : -1;
    for (int i = 0; i < more; i++) {
      if (!try_mark(sub, &found[i])) break;
      int n = atoi(found[i].value);
      if (n > 0 && n < MOST && missing[n] && !strcmp(found[i].key, key)) missing[n] = 0, left--;
    }
    if (more < 0) usleep(200000);
  }
  redisFree(pub);
  redisFree(sub);
  return "by redisReconnect() and AUTH again: hiredis does not connect again by itself";
}

static const char *repeats(const char *test) {
  ask("breaks");
  redisContext *c = connect_to(getenv("BREAKS"), "auth-password", identity("pub"));
  try_set(c, "x", "1", 1);
  redisFree(c);
  const char *count = ask("breaks");
  if (strcmp(count, "1")) fail("%s times", count);
  return !strcmp(test, "repeats") ? "once" : "it never does";
}

static void run(const char *test, const char *function(const char *)) {
  if (setjmp(out)) {
    printf("FAILED %s: %s\n", test, why);
    return;
  }
  const char *note = function(test);
  if (!note) printf("ok %s\n", test);
  else if (note[0] == '!') printf("n/a %s: %s\n", test, note + 1);
  else printf("ok %s: %s\n", test, note);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  snprintf(name, sizeof name, "%s-%s", getenv("LIBRARY"), getenv("VERSION"));
  if (setjmp(out)) {
    printf("FAILED begin: %s\n", why);
    return 1;
  }
  redisContext *c = subscriber();
  // The group begins to read; Kafka may take its time over that.
  for (int i = 0; next_messages(c, found, MANY) < 0 && i < 60; i++) sleep(1);
  redisFree(c);
  const char *forms[] = {"auth-password", "auth-user-password", "auth-user-secret", "auth-url", "auth-url-secret", "auth-hello"};
  for (int i = 0; i < 6; i++) run(forms[i], authenticates);
  run("wrong-secret", refused);
  run("refused-grant", refused);
  run("publish", publish);
  run("publish-pipeline", publish_pipeline);
  run("publish-transaction", publish_pipeline);
  run("publish-megabyte", megabyte);
  run("publish-binary", binary);
  run("publish-metadata", metadata);
  run("publish-tombstone", tombstone);
  run("consume", consume);
  run("at-once", at_once);
  run("restart-daemon", restart);
  run("restart-broker", restart);
  run("repeats", repeats);
  run("repeats-off", repeats);
}
