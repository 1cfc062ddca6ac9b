/* A disk that fails on demand, laid between the host and its database files (LD_PRELOAD). What it does stands in the file that
 * DISK_FAULT names, and may change at any time: nothing; "full" (no more bytes: ENOSPC); "slow" (an fsync takes 50 ms more);
 * "stuck" (an fsync does not come back while the file says so); "broken" (one fsync fails with EIO, and the file is emptied). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fault(char *word, size_t size) {
    const char *path = getenv("DISK_FAULT");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? 0 : read(fd, word, size - 1);
    if (fd >= 0) close(fd);
    word[n > 0 ? n : 0] = 0;
    return n > 0;
}

/* Only the files of a database: the log of the host and the like are not meant. */
static int is_database(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return strstr(path, ".db") != NULL;
}

static int full(int fd) {
    char word[32];
    return fault(word, sizeof word) && strncmp(word, "full", 4) == 0 && is_database(fd);
}

#define NEXT(name, type) static type next; if (!next) next = (type)dlsym(RTLD_NEXT, name)

typedef ssize_t (*pwrite_t)(int, const void *, size_t, off_t);
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    NEXT("pwrite64", pwrite_t);
    if (full(fd)) { errno = ENOSPC; return -1; }
    return next(fd, bytes, size, at);
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return pwrite64(fd, bytes, size, at); }

typedef ssize_t (*write_t)(int, const void *, size_t);
ssize_t write(int fd, const void *bytes, size_t size) {
    NEXT("write", write_t);
    if (full(fd)) { errno = ENOSPC; return -1; }
    return next(fd, bytes, size);
}

typedef int (*sync_t)(int);
static int sync_of(int fd, sync_t next) {
    char word[32];
    if (is_database(fd) && fault(word, sizeof word)) {
        if (strncmp(word, "slow", 4) == 0) usleep(50 * 1000);
        while (strncmp(word, "stuck", 5) == 0 && fault(word, sizeof word)) usleep(10 * 1000);
        if (strncmp(word, "broken", 6) == 0) {
            close(open(getenv("DISK_FAULT"), O_WRONLY | O_TRUNC | O_CLOEXEC));
            errno = EIO;
            return -1;
        }
    }
    return next(fd);
}
int fsync(int fd) { NEXT("fsync", sync_t); return sync_of(fd, next); }
int fdatasync(int fd) { NEXT("fdatasync", sync_t); return sync_of(fd, next); }
