// Moves the wall clock of one process, while it runs, by the seconds in the file that CLOCK_SHIFT_FILE names. Loaded with LD_PRELOAD.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long off(void) {  // seconds, read anew at each call
  const char *p = getenv("CLOCK_SHIFT_FILE"); long s = 0; FILE *f = p ? fopen(p, "r") : 0;
  if (f) { if (fscanf(f, "%ld", &s) != 1) s = 0; fclose(f); }
  return s;
}
int clock_gettime(clockid_t c, struct timespec *t) {
  int r = syscall(SYS_clock_gettime, c, t);
  if (!r && (c == CLOCK_REALTIME || c == CLOCK_REALTIME_COARSE)) t->tv_sec += off();
  return r;
}
int gettimeofday(struct timeval *restrict v, void *restrict z) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); v->tv_sec = t.tv_sec; v->tv_usec = t.tv_nsec / 1000; return 0; }
time_t time(time_t *p) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); if (p) *p = t.tv_sec; return t.tv_sec; }
int timespec_get(struct timespec *t, int b) { clock_gettime(CLOCK_REALTIME, t); return b; }
static struct timespec back(const struct timespec *a) { struct timespec t = *a; t.tv_sec -= off(); return t; }
int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *a) {
  static int (*f)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *); if (!f) f = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  struct timespec t = back(a); return f(c, m, &t);
}
int cnd_timedwait(void *c, void *m, const struct timespec *a) {
  static int (*f)(void *, void *, const struct timespec *); if (!f) f = dlsym(RTLD_NEXT, "cnd_timedwait");
  struct timespec t = back(a); return f(c, m, &t);
}
