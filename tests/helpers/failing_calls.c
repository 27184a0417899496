/* Loaded before the C library (LD_PRELOAD), makes system calls on chosen files fail as a full disk would make them.
 *
 * The text that AMBIENT_FAULT holds, or that is given to ambient_fault(), says what happens:
 *     CALL PART FIRST WHAT
 * CALL  write, sync, rename, open (for writing, and making folders), or any
 * PART  of the path of the file
 * FIRST which matching call is the first to fail, from 1
 * WHAT  a number: that and all later calls fail with this errno; short: that call writes half, the later ones find the
 *       disk full; part: it and all later ones write half, and no error comes of it; kill: the process is killed before
 *       that call; count: nothing fails
 * ambient_fault_calls() gives the number of matching calls so far. Linux only: paths are read from /proc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static char wanted_call[16], wanted_part[256], what[16];
static long first, seen;

void ambient_fault(const char *text) {
    seen = 0;
    if (text == NULL || sscanf(text, "%15s %255s %ld %15s", wanted_call, wanted_part, &first, what) != 4)
        wanted_call[0] = 0;
}

long ambient_fault_calls(void) { return seen; }

__attribute__((constructor)) static void begin(void) { ambient_fault(getenv("AMBIENT_FAULT")); }

/* 0: go on. 1: fail with errno set. 2: write a part. */
static int verdict(const char *call, const char *path) {
    if (!wanted_call[0] || (strcmp(wanted_call, "any") && strcmp(wanted_call, call))) return 0;
    if (!strstr(path, wanted_part)) return 0;
    if (++seen < first || !strcmp(what, "count")) return 0;
    if (!strcmp(what, "kill")) kill(getpid(), SIGKILL);
    if (!strcmp(what, "part")) return strcmp(call, "write") ? 0 : 2;
    if (!strcmp(what, "short")) {
        if (seen == first && !strcmp(call, "write")) return 2;
        errno = ENOSPC;
        return 1;
    }
    errno = atoi(what);
    return 1;
}

static size_t half(size_t count) { return count > 1 ? count / 2 : count; }

static int verdict_fd(const char *call, int fd) {
    char name[64], path[4096];
    if (!wanted_call[0]) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return verdict(call, path);
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    int found = verdict_fd("write", fd);
    return found == 1 ? -1 : real(fd, data, found == 2 ? half(count) : count);
}

#define PWRITE(name) \
    ssize_t name(int fd, const void *data, size_t count, off_t at) { \
        REAL(ssize_t, #name, int, const void *, size_t, off_t); \
        int found = verdict_fd("write", fd); \
        return found == 1 ? -1 : real(fd, data, found == 2 ? half(count) : count, at); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define SYNC(name) \
    int name(int fd) { \
        REAL(int, #name, int); \
        return verdict_fd("sync", fd) ? -1 : real(fd); \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TWO_PATHS(name) \
    int name(const char *from, const char *to) { \
        REAL(int, #name, const char *, const char *); \
        return verdict("rename", to) ? -1 : real(from, to); \
    }
TWO_PATHS(rename)
TWO_PATHS(link)

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    return verdict("open", path) ? -1 : real(path, mode);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, #name, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        if (flags & (O_WRONLY | O_RDWR | O_CREAT) && verdict("open", path)) return -1; \
        return real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
