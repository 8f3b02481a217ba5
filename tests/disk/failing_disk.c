/* LD_PRELOAD: a disk that fails. What files it is about, how and when, is read from the environment at each call:
   DISK_PATH and DISK_ENDING: how their paths begin and end; DISK_ERRNO: what the system says;
   DISK_WHEN: at their open, in mid-read (the first bytes come), short (the end comes too early, without an error),
   at the list of a folder, or at each write (a read-only file system). */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_BYTES 400
#define WRITES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)
#define REAL(name, type) ((type)dlsym(RTLD_NEXT, #name))

static int fails(const char *when, const char *path) {
    const char *begin = getenv("DISK_PATH"), *end = getenv("DISK_ENDING"), *at = getenv("DISK_WHEN");
    size_t n = path ? strlen(path) : 0, m = end ? strlen(end) : 0;
    if (!begin || !at || strcmp(at, when) || strncmp(path ? path : "", begin, strlen(begin))) return 0;
    return m <= n && (!m || !strcmp(path + n - m, end));
}

static int refused(void) {
    errno = atoi(getenv("DISK_ERRNO"));
    return -1;
}

static int opening(const char *path, int flags) { return fails("open", path) || ((flags & WRITES) && fails("write", path)); }

#define MODE mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }
#define OPEN(name) int name(const char *path, int flags, ...) { MODE return opening(path, flags) ? refused() : REAL(name, int (*)(const char *, int, ...))(path, flags, mode); }
#define OPENAT(name) int name(int folder, const char *path, int flags, ...) { MODE return opening(path, flags) ? refused() : REAL(name, int (*)(int, const char *, int, ...))(folder, path, flags, mode); }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)

/* how many bytes of a read of `size` from `at` on come; -1 where it fails */
static ssize_t come(int file, off_t at, size_t size) {
    char link[64], path[PATH_MAX];
    if (!getenv("DISK_WHEN")) return size;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return size;
    path[n] = 0;
    int in_mid = fails("read", path);
    if (!in_mid && !fails("short", path)) return size;
    if (at < FIRST_BYTES) return size < (size_t)(FIRST_BYTES - at) ? (ssize_t)size : FIRST_BYTES - at;
    return in_mid ? -1 : 0;
}

#define READ(name, limit, give) ssize_t name(int file, void *into, size_t size limit) { \
    ssize_t n = come(file, lseek(file, 0, SEEK_CUR), size); \
    return n < 0 ? refused() : n == 0 && size ? 0 : REAL(name, ssize_t (*)(int, void *, size_t limit))(file, into, n give); }
#define PREAD(name, limit, give) ssize_t name(int file, void *into, size_t size, off_t at limit) { \
    ssize_t n = come(file, at, size); \
    return n < 0 ? refused() : n == 0 && size ? 0 : REAL(name, ssize_t (*)(int, void *, size_t, off_t limit))(file, into, n, at give); }
#define COMMA ,
READ(read, , ) READ(__read_chk, COMMA size_t space, COMMA space)
PREAD(pread, , ) PREAD(pread64, , ) PREAD(__pread_chk, COMMA size_t space, COMMA space) PREAD(__pread64_chk, COMMA size_t space, COMMA space)

DIR *opendir(const char *path) {
    if (fails("list", path)) { refused(); return NULL; }
    return REAL(opendir, DIR *(*)(const char *))(path);
}

int mkdir(const char *path, mode_t mode) {
    struct stat there;
    if (fails("write", path)) { if (stat(path, &there)) return refused(); errno = EEXIST; return -1; }
    return REAL(mkdir, int (*)(const char *, mode_t))(path, mode);
}
int rename(const char *from, const char *to) { return fails("write", to) ? refused() : REAL(rename, int (*)(const char *, const char *))(from, to); }
int unlink(const char *path) { return fails("write", path) ? refused() : REAL(unlink, int (*)(const char *))(path); }
int rmdir(const char *path) { return fails("write", path) ? refused() : REAL(rmdir, int (*)(const char *))(path); }
