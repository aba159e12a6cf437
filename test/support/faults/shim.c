/*
 * A host that fails on demand, for tests: loaded into a real server by LD_PRELOAD, it lets one kind of system call on one
 * path return an errno, and shifts the wall clock. What it is to do stands in a file that the test writes while the
 * server runs; shim.ts knows its layout too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  int32_t armed;   /* 0: no call fails */
  int32_t error;   /* the errno */
  int32_t skip;    /* calls that still go well */
  int32_t times;   /* calls that fail after them; below 0: all */
  int32_t hits;    /* calls that did fail */
  int32_t padding;
  int64_t clock_ms; /* what the wall clock is ahead */
  char call[32];
  char path[448];  /* of the file on the host: see is_meant */
};

static struct control *control;

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("SCPD_TEST_FAULTS");
  if (file == NULL) return;
  int descriptor = (int)open(file, O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return;
  void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (mapped != MAP_FAILED) control = mapped;
}

/* The host path of an open file. */
static void path_of(int descriptor, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  path[length < 0 ? 0 : length] = 0;
}

/* The host path behind /proc/self/fd/N/name, which is how the server names files. */
static void resolve(const char *name, char *path) {
  int descriptor, end = 0;
  if (sscanf(name, "/proc/self/fd/%d%n", &descriptor, &end) < 1) {
    snprintf(path, PATH_MAX, "%s", name);
    return;
  }
  path_of(descriptor, path);
  strncat(path, name + end, PATH_MAX - 1 - strlen(path));
}

/* A part of the path; with "$" at its end, the end of the path. */
static int is_meant(const char *path) {
  size_t wanted = strnlen(control->path, sizeof control->path), length = strlen(path);
  if (wanted == 0 || control->path[wanted - 1] != '$') return strstr(path, control->path) != NULL;
  wanted -= 1;
  return length >= wanted && memcmp(path + length - wanted, control->path, wanted) == 0;
}

static int fails(const char *call, const char *path) {
  if (strcmp(control->call, call) != 0 || !is_meant(path)) return 0;
  if (__sync_fetch_and_sub(&control->skip, 1) > 0) return 0;
  if (control->times >= 0 && __sync_fetch_and_sub(&control->times, 1) <= 0) return 0;
  __sync_fetch_and_add(&control->hits, 1);
  errno = control->error;
  return 1;
}

static int fails_open(const char *call, int descriptor) {
  if (control == NULL || !control->armed) return 0;
  char path[PATH_MAX];
  path_of(descriptor, path);
  return fails(call, path);
}

static int fails_named(const char *call, const char *name) {
  if (control == NULL || !control->armed) return 0;
  char path[PATH_MAX];
  resolve(name, path);
  return fails(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OF_DESCRIPTOR(type, name, call, parameters, arguments)  \
  type name parameters {                                        \
    static __typeof__(&name) real;                              \
    if (real == NULL) real = REAL(name);                        \
    return fails_open(call, descriptor) ? -1 : real arguments;  \
  }

#define OF_NAME(name, call, which, parameters, arguments)       \
  int name parameters {                                         \
    static __typeof__(&name) real;                              \
    if (real == NULL) real = REAL(name);                        \
    return fails_named(call, which) ? -1 : real arguments;      \
  }

OF_DESCRIPTOR(ssize_t, write, "write", (int descriptor, const void *bytes, size_t length), (descriptor, bytes, length))
OF_DESCRIPTOR(ssize_t, pwrite, "write", (int descriptor, const void *bytes, size_t length, off_t offset),
              (descriptor, bytes, length, offset))
OF_DESCRIPTOR(ssize_t, pwrite64, "write", (int descriptor, const void *bytes, size_t length, off64_t offset),
              (descriptor, bytes, length, offset))
OF_DESCRIPTOR(ssize_t, writev, "write", (int descriptor, const struct iovec *parts, int count), (descriptor, parts, count))
OF_DESCRIPTOR(ssize_t, pwritev, "write", (int descriptor, const struct iovec *parts, int count, off_t offset),
              (descriptor, parts, count, offset))
OF_DESCRIPTOR(ssize_t, pwritev64, "write", (int descriptor, const struct iovec *parts, int count, off64_t offset),
              (descriptor, parts, count, offset))
OF_DESCRIPTOR(int, fsync, "fsync", (int descriptor), (descriptor))
OF_DESCRIPTOR(int, fdatasync, "fsync", (int descriptor), (descriptor))
OF_DESCRIPTOR(int, ftruncate, "ftruncate", (int descriptor, off_t length), (descriptor, length))
OF_DESCRIPTOR(int, ftruncate64, "ftruncate", (int descriptor, off64_t length), (descriptor, length))
OF_DESCRIPTOR(int, fchmod, "fchmod", (int descriptor, mode_t mode), (descriptor, mode))
OF_NAME(rename, "rename", to, (const char *from, const char *to), (from, to))
OF_NAME(link, "link", to, (const char *from, const char *to), (from, to))
OF_NAME(unlink, "unlink", name, (const char *name), (name))
OF_NAME(mkdir, "mkdir", name, (const char *name, mode_t mode), (name, mode))

#define OPENS(name)                                                   \
  int name(const char *path, int flags, ...) {                        \
    static int (*real)(const char *, int, ...);                       \
    if (real == NULL) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
    mode_t mode = 0;                                                  \
    if (flags & (O_CREAT | O_TMPFILE)) {                              \
      va_list rest;                                                   \
      va_start(rest, flags);                                          \
      mode = va_arg(rest, mode_t);                                    \
      va_end(rest);                                                   \
    }                                                                 \
    return fails_named("open", path) ? -1 : real(path, flags, mode);  \
  }

OPENS(open)
OPENS(open64)

int clock_gettime(clockid_t clock, struct timespec *now) {
  static __typeof__(&clock_gettime) real;
  if (real == NULL) real = REAL(clock_gettime);
  int result = real(clock, now);
  if (result == 0 && control != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += control->clock_ms / 1000;
  return result;
}

int gettimeofday(struct timeval *now, void *zone) {
  static int (*real)(struct timeval *, void *);
  if (real == NULL) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  int result = real(now, zone);
  if (result == 0 && control != NULL) now->tv_sec += control->clock_ms / 1000;
  return result;
}

time_t time(time_t *into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into != NULL) *into = now.tv_sec;
  return now.tv_sec;
}
