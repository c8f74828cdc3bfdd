/* Another wall clock for a program under test, by LD_PRELOAD; see clock.py. Monotonic clocks stay as they are, so that
 * timers go on (libfaketime 0.9.10 hangs in pthread_cond_timedwait() when told to leave them alone).
 *
 * $TLSCRIBE_TEST_CLOCK names a file of one int64_t, seconds since 1970: there the clock stands still. It may be
 * changed at any time. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *now_s;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("TLSCRIBE_TEST_CLOCK");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *map = fd == -1 ? MAP_FAILED : mmap(NULL, sizeof(*now_s), PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		perror("TLSCRIBE_TEST_CLOCK");
		_exit(99);
	}
	close(fd);
	now_s = map;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	if ((clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) && now_s != NULL) {
		*out = (struct timespec){.tv_sec = *now_s};
		return 0;
	}
	return (int)syscall(SYS_clock_gettime, clock, out);
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	(void)zone;
	struct timespec t;
	int err = clock_gettime(CLOCK_REALTIME, &t);
	*out = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
	return err;
}

time_t time(time_t *out)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	if (out != NULL) {
		*out = t.tv_sec;
	}
	return t.tv_sec;
}
