/* A disk that takes its time, for one process and its children: a library for LD_PRELOAD on Linux.
 *
 *     cc -O2 -shared -fPIC -o slow.so slow.c
 *     SLOW_FSYNC_MS=500 LD_PRELOAD=./slow.so albumup push ./trip
 *
 * SLOW_FSYNC_MS   each fsync and fdatasync begins so many milliseconds later
 * SLOW_READ       a path: whoever reads this file hangs for SLOW_READ_SECONDS (60), as on a disk or a network that went
 * SLOW_READ_WHEN  a path: it hangs only while there is such a file
 * SLOW_COUNT      a file of 16 bytes, in which two numbers are counted up: fsyncs, and reads that hung
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static atomic_long nobody_looks[2], *counts = nobody_looks;
static long fsync_ms, read_ms = 60000;
static struct stat slow;
static const char *when;

__attribute__((constructor)) static void begin(void) {
    const char *given;
    if ((given = getenv("SLOW_FSYNC_MS")))
        fsync_ms = atol(given);
    if ((given = getenv("SLOW_READ_SECONDS")))
        read_ms = atof(given) * 1000;
    if ((given = getenv("SLOW_READ")) && stat(given, &slow))
        abort();
    when = getenv("SLOW_READ_WHEN");
    if ((given = getenv("SLOW_COUNT"))) {
        int file = open(given, O_RDWR | O_CLOEXEC);
        counts = mmap(NULL, sizeof nobody_looks, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (counts == MAP_FAILED)
            abort();
        close(file);
    }
}

/* To the end, whatever signals come: as a call that the kernel does not interrupt. */
static void wait_for(long ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

static int synced(long call, int file) {
    counts[0]++;
    if (fsync_ms)
        wait_for(fsync_ms);
    return syscall(call, file);
}

int fsync(int file) { return synced(SYS_fsync, file); }

int fdatasync(int file) { return synced(SYS_fdatasync, file); }

static int is_slow(int file) {
    struct stat found;
    if (!slow.st_ino || (when && access(when, F_OK)))
        return 0;
    return !fstat(file, &found) && found.st_ino == slow.st_ino && found.st_dev == slow.st_dev;
}

static void hang_if_slow(int file) {
    if (is_slow(file)) {
        counts[1]++;
        wait_for(read_ms);
    }
}

/* Numbers and pointers alike: the kernel takes both as words. */
#define CALL(name, first, ...) (hang_if_slow(first), syscall(SYS_##name, __VA_ARGS__))

ssize_t read(int file, void *into, size_t size) { return CALL(read, file, file, into, size); }

ssize_t readv(int file, const struct iovec *into, int count) {
    return CALL(readv, file, file, into, count);
}

ssize_t pread64(int file, void *into, size_t size, off64_t from) {
    return CALL(pread64, file, file, into, size, from);
}

ssize_t pread(int file, void *into, size_t size, off_t from) { return pread64(file, into, size, from); }

ssize_t preadv64(int file, const struct iovec *into, int count, off64_t from) {
    return CALL(preadv, file, file, into, count, from, 0);
}

ssize_t preadv(int file, const struct iovec *into, int count, off_t from) {
    return preadv64(file, into, count, from);
}

ssize_t preadv64v2(int file, const struct iovec *into, int count, off64_t from, int flags) {
    if (flags & RWF_NOWAIT && is_slow(file)) {
        errno = EAGAIN;
        return -1;
    }
    return CALL(preadv2, file, file, into, count, from, 0, flags);
}

ssize_t preadv2(int file, const struct iovec *into, int count, off_t from, int flags) {
    return preadv64v2(file, into, count, from, flags);
}

ssize_t sendfile64(int to, int file, off64_t *from, size_t size) {
    return CALL(sendfile, file, to, file, from, size);
}

ssize_t sendfile(int to, int file, off_t *from, size_t size) { return sendfile64(to, file, from, size); }

ssize_t copy_file_range(int file, off64_t *from, int to, off64_t *at, size_t size, unsigned int flags) {
    return CALL(copy_file_range, file, file, from, to, at, size, flags);
}
