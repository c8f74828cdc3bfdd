#include "journal/scan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "journal/files.h"

#define READ_AHEAD (256u << 10)
/* Bytes put through CRC by the searches in one file, beyond reading it once. */
#define SEARCH_BUDGET (64u << 20)

int scan_open(struct scan *s, int dir_fd, struct raw_key key)
{
	char name[RAW_NAME_LEN + 1];
	raw_name_format(name, key);
	*s = (struct scan){.fd = -1};
	int err = file_open_read(&s->fd, dir_fd, name);
	if (err != E_OK) {
		return err;
	}
	uint8_t bytes[RAW_HEADER_LEN];
	size_t got = 0;
	err = file_read(s->fd, bytes, sizeof(bytes), 0, &got);
	if (err == E_OK) {
		err = got < sizeof(bytes) ? E_CORRUPT : raw_header_decode(&s->header, bytes);
	}
	/* A copy under another name would give its entries twice. */
	if (err == E_OK && raw_key_compare(s->header.key, key) != 0) {
		err = E_CORRUPT;
	}
	if (err != E_OK) {
		scan_close(s);
		return err;
	}
	s->offset = RAW_HEADER_LEN;
	return E_OK;
}

void scan_close(struct scan *s)
{
	if (s->fd != -1) {
		close(s->fd);
	}
	free(s->data);
	*s = (struct scan){.fd = -1};
}

int scan_size(const struct scan *s, uint64_t *size)
{
	struct stat st;
	if (fstat(s->fd, &st) == -1) {
		return err_from_errno();
	}
	*size = st.st_size < (off_t)RAW_FILE_MAX ? (uint64_t)st.st_size : RAW_FILE_MAX;
	return E_OK;
}

void scan_forget(struct scan *s)
{
	s->len = 0;
}

/* Makes n bytes at `offset` readable at *out, reading ahead but never beyond `limit`. E_END: the
 * file ends before. */
static int fetch(struct scan *s, uint64_t offset, size_t n, uint64_t limit, const uint8_t **out)
{
	if (offset > limit || n > limit - offset) {
		return E_END;
	}
	if (offset >= s->at && offset - s->at <= s->len && n <= s->len - (offset - s->at)) {
		*out = s->data + (offset - s->at);
		return E_OK;
	}
	size_t want = n > READ_AHEAD ? n : READ_AHEAD;
	if (want > limit - offset) {
		want = (size_t)(limit - offset);
	}
	if (want > s->cap) {
		uint8_t *data = realloc(s->data, want);
		if (data == NULL) {
			return E_NOMEM;
		}
		s->data = data;
		s->cap = want;
	}
	s->at = offset;
	s->len = 0;
	int err = file_read(s->fd, s->data, want, offset, &s->len);
	if (err != E_OK) {
		s->len = 0;
		return err;
	}
	if (s->len < n) {
		return E_END;
	}
	*out = s->data;
	return E_OK;
}

/* The commit at `offset`, whole and checked. E_END: none. */
static int commit_at(struct scan *s, uint64_t offset, uint64_t limit, struct commit_head *head,
                     struct slice *entries)
{
	const uint8_t *bytes = NULL;
	int err = fetch(s, offset, COMMIT_HEAD_LEN, limit, &bytes);
	if (err != E_OK) {
		return err;
	}
	if (!commit_head_decode(head, bytes, s->header.key, offset)) {
		return E_END;
	}
	err = fetch(s, offset, COMMIT_HEAD_LEN + (size_t)head->bytes, limit, &bytes);
	if (err != E_OK) {
		return err;
	}
	*entries = slice_of(bytes + COMMIT_HEAD_LEN, head->bytes);
	return commit_check(head, bytes, s->header.salt, *entries) ? E_OK : E_END;
}

int scan_next(struct scan *s, uint64_t limit, struct commit_head *head, struct slice *entries)
{
	int err = commit_at(s, s->offset, limit, head, entries);
	if (err == E_OK) {
		s->offset += COMMIT_HEAD_LEN + (uint64_t)head->bytes;
	}
	return err;
}

/* The next place at or behind *offset where a commit may begin. E_END: none. */
static int find_magic(struct scan *s, uint64_t *offset, uint64_t limit)
{
	static const uint8_t magic[4] = {'C', 'M', 'I', 'T'};
	const uint8_t *bytes = NULL;
	int err;
	while ((err = fetch(s, *offset, COMMIT_HEAD_LEN, limit, &bytes)) == E_OK) {
		/* What is in memory anyway, so that candidates close together cost no reading. */
		size_t n = s->len - (size_t)(*offset - s->at);
		const uint8_t *hit = memmem(bytes, n, magic, sizeof(magic));
		if (hit != NULL) {
			*offset += (uint64_t)(hit - bytes);
			return E_OK;
		}
		/* The magic may straddle two pieces. */
		*offset += n - (sizeof(magic) - 1);
	}
	return err;
}

int scan_resync(struct scan *s, uint64_t limit, uint64_t first, struct commit_head *head)
{
	uint64_t size = 0;
	int err = scan_size(s, &size);
	if (err != E_OK) {
		return err;
	}
	limit = size < limit ? size : limit;
	uint64_t offset = s->offset + 1;
	while ((err = find_magic(s, &offset, limit)) == E_OK && s->spent < SEARCH_BUDGET) {
		struct slice entries;
		err = commit_at(s, offset, limit, head, &entries);
		if (err == E_OK && head->first >= first) {
			s->offset = offset;
			return E_OK;
		}
		if (err != E_OK && err != E_END) {
			return err;
		}
		s->spent += COMMIT_HEAD_LEN + (uint64_t)head->bytes;
		offset++;
	}
	return err == E_OK ? E_END : err;
}

int scan_used(struct scan *s, uint64_t *used)
{
	uint64_t size = 0;
	int err = scan_size(s, &size);
	*used = s->offset;
	uint8_t piece[16384];
	/* From the end: behind the last commit there is little but zeros. */
	while (err == E_OK && size > s->offset) {
		size_t n = size - s->offset < sizeof(piece) ? (size_t)(size - s->offset)
		                                            : sizeof(piece);
		size_t got = 0;
		err = file_read(s->fd, piece, n, size - n, &got);
		for (size_t i = got; i > 0; i--) {
			if (piece[i - 1] != 0) {
				*used = size - n + i;
				return err;
			}
		}
		size -= n;
	}
	return err;
}
