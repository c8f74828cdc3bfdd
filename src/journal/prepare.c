#include "journal/prepare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

#define ZEROS 65536u
/* Synced in pieces, so that no commit waits behind a whole file of zeros. */
#define PIECE (1u << 20)
#define RETRY_S 1
#define NICE 10
/* linux/ioprio.h: class "idle", for this thread. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE (3 << 13)

static const uint8_t zeros[ZEROS];

int preparer_init(struct preparer *p, const struct journal_io *io, int dir_fd, uint64_t file_bytes)
{
	*p = (struct preparer){
		.io = io, .dir_fd = dir_fd, .file_bytes = file_bytes, .ready = {.fd = -1}};
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&p->lock, NULL);
	return E_OK;
}

void prepared_drop(struct prepared *file, const struct journal_io *io, int dir_fd)
{
	if (file->fd == -1) {
		return;
	}
	close(file->fd);
	/* What stays is removed at the next start. */
	io->unlinkat(dir_fd, file->name, 0);
	file->fd = -1;
}

enum manner {
	GENTLY,  /* in the background: synced in pieces, ends when told to */
	AT_ONCE, /* zeros, in one go */
	RESERVE, /* blocks without content */
};

static int zero_file(struct preparer *p, int fd, bool gently)
{
	uint64_t piece = 0;
	for (uint64_t at = 0; at < p->file_bytes;) {
		size_t n = p->file_bytes - at < ZEROS ? (size_t)(p->file_bytes - at) : ZEROS;
		int err = io_write_all(p->io, fd, zeros, n, (off_t)at);
		if (err != E_OK) {
			return err;
		}
		at += n;
		piece += n;
		if (gently && atomic_load(&p->stop)) {
			return E_AGAIN;
		}
		if (gently && piece >= PIECE) {
			piece = 0;
			if (p->io->fdatasync(fd) == -1) {
				return err_from_errno();
			}
		}
	}
	return E_OK;
}

static int fill_file(struct preparer *p, int fd, enum manner manner)
{
	int err = E_OK;
	if (manner != RESERVE) {
		err = zero_file(p, fd, manner == GENTLY);
	} else if (p->io->fallocate(fd, 0, 0, (off_t)p->file_bytes) == -1) {
		/* Not every file system can. */
		err = errno == EOPNOTSUPP ? zero_file(p, fd, false) : err_from_errno();
	}
	if (err == E_OK && p->io->fsync(fd) == -1) {
		err = err_from_errno();
	}
	return err;
}

static int make(struct preparer *p, struct prepared *out, enum manner manner)
{
	struct prepared file = {.fd = -1};
	snprintf(file.name, sizeof(file.name), PREPARED_PREFIX "%08" PRIx32 ".tmp",
	         atomic_fetch_add(&p->next_name, 1));
	file.fd = p->io->openat(p->dir_fd, file.name,
	                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file.fd == -1) {
		return err_from_errno();
	}
	int err = fill_file(p, file.fd, manner);
	if (err != E_OK) {
		prepared_drop(&file, p->io, p->dir_fd);
		return err;
	}
	*out = file;
	return E_OK;
}

int preparer_fill(struct preparer *p)
{
	return make(p, &p->ready, AT_ONCE);
}

/* Waits until a file is missing, or for a moment after a failure. False: the end. */
static bool wait_for_work(struct preparer *p, bool failed)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += RETRY_S;
	pthread_mutex_lock(&p->lock);
	int waited = 0;
	while (!atomic_load(&p->stop) && waited != ETIMEDOUT && (failed || p->ready.fd != -1)) {
		waited = failed ? pthread_cond_timedwait(&p->changed, &p->lock, &until)
		                : pthread_cond_wait(&p->changed, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return !atomic_load(&p->stop);
}

static void *prepare_main(void *arg)
{
	struct preparer *p = arg;
	/* Both are requests: without them the thread is merely less polite. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);

	bool failed = false;
	while (wait_for_work(p, failed)) {
		pthread_mutex_lock(&p->lock);
		bool needed = p->ready.fd == -1;
		pthread_mutex_unlock(&p->lock);
		if (!needed) {
			failed = false;
			continue;
		}
		struct prepared file = {.fd = -1};
		int err = make(p, &file, GENTLY);
		if (err != E_OK && err != E_AGAIN && !failed) {
			log_warning("the next journal file cannot be prepared: %s; trying again",
			            err_text(err));
		}
		failed = err != E_OK;
		if (!failed) {
			pthread_mutex_lock(&p->lock);
			p->ready = file;
			pthread_mutex_unlock(&p->lock);
		}
	}
	return NULL;
}

int preparer_start(struct preparer *p)
{
	/* Signals are for the main thread. */
	sigset_t all;
	sigset_t before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&p->thread, NULL, prepare_main, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	p->started = failed == 0;
	return failed == 0 ? E_OK : E_LIMIT;
}

void preparer_release(struct preparer *p)
{
	if (p->started) {
		pthread_mutex_lock(&p->lock);
		atomic_store(&p->stop, true);
		pthread_cond_broadcast(&p->changed);
		pthread_mutex_unlock(&p->lock);
		pthread_join(p->thread, NULL);
	}
	prepared_drop(&p->ready, p->io, p->dir_fd);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
}

int preparer_take(struct preparer *p, struct prepared *out)
{
	pthread_mutex_lock(&p->lock);
	struct prepared file = p->ready;
	p->ready.fd = -1;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (file.fd != -1) {
		*out = file;
		return E_OK;
	}
	atomic_fetch_add(&p->late, 1);
	return make(p, out, RESERVE);
}

int prepared_clean(const struct journal_io *io, int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		int err = err_from_errno();
		if (fd != -1) {
			close(fd);
		}
		return err;
	}
	int err = E_OK;
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		const char *name = entry->d_name;
		if (strlen(name) == PREPARED_NAME_LEN &&
		    strncmp(name, PREPARED_PREFIX, strlen(PREPARED_PREFIX)) == 0 &&
		    io->unlinkat(dir_fd, name, 0) == -1) {
			err = err_from_errno();
		}
	}
	closedir(dir);
	return err;
}
