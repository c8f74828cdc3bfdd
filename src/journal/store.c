#include "journal/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/err.h"
#include "base/log.h"
#include "journal/prepare.h"

static const struct mark nowhere;

/* Makes one directory if it is missing, and its name durable. */
static int make_directory(const char *path, const struct journal_io *io)
{
	if (mkdir(path, 0700) == -1) {
		return errno == EEXIST ? E_OK : err_from_errno();
	}
	char *parent = strdup(path);
	if (parent == NULL) {
		return E_NOMEM;
	}
	char *slash = strrchr(parent, '/');
	if (slash != NULL) {
		slash[slash == parent ? 1 : 0] = '\0';
	}
	int fd = open(slash == NULL ? "." : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	if (fd == -1) {
		return err_from_errno();
	}
	int err = io->fsync(fd) == -1 ? err_from_errno() : E_OK;
	close(fd);
	return err;
}

static int open_directory(struct store *s, const char *state, struct diag *diag)
{
	/* "STATE/" would have "STATE" as its own parent. */
	size_t len = strlen(state);
	while (len > 1 && state[len - 1] == '/') {
		len--;
	}
	char *top = strndup(state, len);
	if (top == NULL || asprintf(&s->path, "%s/" FORMAT_DIR, top) == -1) {
		s->path = NULL;
		free(top);
		return E_NOMEM;
	}
	int err = make_directory(top, s->io);
	free(top);
	if (err == E_OK) {
		err = make_directory(s->path, s->io);
	}
	if (err == E_OK) {
		s->dir_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = s->dir_fd == -1 ? err_from_errno() : E_OK;
	}
	if (err != E_OK) {
		diag_error(diag, s->path, nowhere, "the journal's directory cannot be used: %s",
		           err_text(err));
	}
	return err;
}

static int lock_directory(struct store *s, struct diag *diag)
{
	int err = lock_take(&s->lock_fd, s->dir_fd, s->io);
	if (err == E_BUSY) {
		diag_error(diag, s->path, nowhere, "another tlscribe runs on this state directory");
	} else if (err != E_OK) {
		diag_error(diag, s->path, nowhere, "the journal cannot be locked for writing: %s",
		           err_text(err));
	}
	return err;
}

static int create_identity(struct store *s, const struct journal_options *options,
                           const struct raw_list *files, struct diag *diag)
{
	if (files->count > 0) {
		diag_error(diag, s->path, nowhere,
		           "the file \"%s\" is missing: whose journal this is cannot be told",
		           FORMAT_IDENTITY);
		return E_CORRUPT;
	}
	struct identity *id = &s->identity;
	if (!identity_name_valid(options->origin, sizeof(id->origin) - 1) ||
	    !identity_name_valid(options->node, sizeof(id->node) - 1)) {
		diag_error(
			diag, s->path,
			nowhere, "origin and node have to be words of printable ASCII, at most %zu and %zu long",
			sizeof(id->origin) - 1, sizeof(id->node) - 1);
		return E_INVALID;
	}
	*id = (struct identity){.epoch = 1};
	snprintf(id->origin, sizeof(id->origin), "%s", options->origin);
	snprintf(id->node, sizeof(id->node), "%s", options->node);
	int err = identity_write(id, s->dir_fd, s->io);
	if (err != E_OK) {
		diag_error(diag, s->path, nowhere, "the journal cannot be written: %s",
		           err_text(err));
	}
	return err;
}

static int claim(struct store *s, const struct journal_options *options,
                 const struct raw_list *files, struct diag *diag)
{
	struct identity *id = &s->identity;
	int err = identity_read(id, s->dir_fd, s->path, diag);
	if (err == E_NOT_FOUND) {
		return create_identity(s, options, files, diag);
	}
	if (err != E_OK) {
		return err;
	}
	if (strcmp(id->origin, options->origin) != 0 || strcmp(id->node, options->node) != 0) {
		diag_error(
			diag, s->path,
			nowhere, "this is the journal of origin \"%s\", node \"%s\"; configured are \"%s\" and \"%s\"",
			id->origin, id->node, options->origin, options->node);
		return E_INVALID;
	}
	return E_OK;
}

/* Corruption stops nobody from recording what happens from now on, but nobody shall overlook it. */
static void report_corruption(const struct store *s, struct diag *diag)
{
	const struct recovered *r = &s->end;
	char name[RAW_NAME_LEN + 1] = FORMAT_TIP;
	if (r->has_name) {
		raw_name_format(name, r->corrupt_file);
	}
	char text[256];
	snprintf(text, sizeof(text),
	         "corruption: \"%s\" is damaged at byte %" PRIu64 ", about %" PRIu64
	         " recorded entries are unreadable; the file is kept, entry %" PRIu64
	         " is the next in a new one",
	         name, r->corrupt_at, r->lost, r->next_index);
	diag_warn(diag, s->path, nowhere, "%s", text);
	log_error("%s: %s", s->path, text);
}

/* What was found may be in the page cache alone: after this it is not. */
static int settle_last_file(struct store *s)
{
	const struct recovered *r = &s->end;
	if (!r->has_file) {
		return E_OK;
	}
	char name[RAW_NAME_LEN + 1];
	raw_name_format(name, r->file);
	int fd = s->io->openat(s->dir_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd == -1) {
		return err_from_errno();
	}
	/* Zeros prove nothing, and each start would keep a file of them. A torn tail or damage
	 * stays as it is. */
	if (!r->corrupt && r->torn_bytes == 0 && s->io->ftruncate(fd, (off_t)r->end) == -1) {
		log_warning("%s: \"%s\" cannot be cut to its used size: %s", s->path, name,
		            err_text(err_from_errno()));
	}
	int err = s->io->fsync(fd) == -1 ? err_from_errno() : E_OK;
	close(fd);
	if (err == E_OK && s->io->fsync(s->dir_fd) == -1) {
		err = err_from_errno();
	}
	return err;
}

static int open_tip(struct store *s, bool *valid)
{
	s->tip_fd = s->io->openat(s->dir_fd, FORMAT_TIP,
	                          O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (s->tip_fd == -1) {
		return err_from_errno();
	}
	int err = tip_read(&s->tip, s->tip_fd);
	*valid = err == E_OK;
	if (err == E_NOT_FOUND || err == E_CORRUPT) {
		s->tip = (struct tip){0};
		err = E_OK;
	}
	return err;
}

static int recover(struct store *s, const struct raw_list *files, struct journal_found *found,
                   struct diag *diag)
{
	bool tip_valid = false;
	int err = open_tip(s, &tip_valid);
	if (err == E_OK) {
		err = recover_find_end(&s->end, s->dir_fd, files, tip_valid ? &s->tip : NULL);
	}
	if (err == E_OK) {
		err = settle_last_file(s);
	}
	if (err != E_OK) {
		diag_error(diag, s->path, nowhere,
		           err == E_VERSION ? "a file was written by a newer tlscribe: %s"
		                            : "the journal cannot be recovered: %s",
		           err_text(err));
		return err;
	}
	const struct recovered *r = &s->end;
	if (r->corrupt) {
		report_corruption(s, diag);
	}
	*found = (struct journal_found){
		.first = r->next_index == 0,
		.clean = tip_valid && s->tip.clean && !r->corrupt && r->torn_bytes == 0 &&
	                 s->tip.next_index == r->next_index,
		.next_index = r->next_index,
		.torn_bytes = r->torn_bytes,
	};
	snprintf(found->log, sizeof(found->log), "%s/%s/%" PRIu64, s->identity.origin,
	         s->identity.node, s->identity.epoch);

	s->tip.clean = false;
	err = store_tip(s, r->file, r->end, r->next_index);
	if (err == E_OK && (s->io->fsync(s->tip_fd) == -1 || s->io->fsync(s->dir_fd) == -1)) {
		err = err_from_errno();
	}
	if (err != E_OK) {
		diag_error(diag, s->path, nowhere, "the file \"%s\" cannot be written: %s",
		           FORMAT_TIP, err_text(err));
	}
	return err;
}

int store_open(struct store *s, const struct journal_options *options, struct journal_found *found,
               struct diag *diag)
{
	*s = (struct store){.io = options->io == NULL ? &journal_io_system : options->io};
	s->dir_fd = s->lock_fd = s->tip_fd = -1;
	struct raw_list files = {0};

	int err = open_directory(s, options->state, diag);
	if (err == E_OK) {
		err = lock_directory(s, diag);
	}
	if (err != E_OK) {
		goto close_store;
	}
	err = prepared_clean(s->io, s->dir_fd);
	if (err == E_OK) {
		err = raw_list_read(&files, s->dir_fd);
	}
	if (err != E_OK) {
		diag_error(diag, s->path, nowhere, "the journal's directory cannot be used: %s",
		           err_text(err));
		goto close_store;
	}
	err = claim(s, options, &files, diag);
	if (err == E_OK) {
		err = recover(s, &files, found, diag);
	}

close_store:
	raw_list_release(&files);
	if (err != E_OK) {
		store_close(s);
	}
	return err;
}

void store_close(struct store *s)
{
	int *fds[] = {&s->tip_fd, &s->dir_fd, &s->lock_fd};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] != -1) {
			close(*fds[i]);
			*fds[i] = -1;
		}
	}
	free(s->path);
	s->path = NULL;
}

int store_tip(struct store *s, struct raw_key file, uint64_t offset, uint64_t next_index)
{
	BUG_IF(next_index < s->tip.next_index);
	s->tip.generation++;
	s->tip.has_file = offset > 0; /* behind a header, so there is one */
	s->tip.file = file;
	s->tip.offset = offset;
	s->tip.next_index = next_index;
	return tip_write(&s->tip, s->tip_fd, s->io);
}

int store_mark_clean(struct store *s)
{
	s->tip.clean = true;
	s->tip.generation++;
	int err = tip_write(&s->tip, s->tip_fd, s->io);
	if (err == E_OK && s->io->fdatasync(s->tip_fd) == -1) {
		err = err_from_errno();
	}
	return err;
}
