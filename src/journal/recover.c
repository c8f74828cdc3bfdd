#include "journal/recover.h"

#include "base/err.h"
#include "journal/scan.h"

static void note_corruption(struct recovered *r, struct raw_key file, uint64_t at, uint64_t lost)
{
	if (!r->corrupt) {
		r->corrupt = true;
		r->corrupt_file = file;
		r->corrupt_at = at;
	}
	r->lost += lost;
}

/* Follows the commits from the begin of the file, over holes, to the last valid one. */
static int follow_commits(struct recovered *r, struct scan *s)
{
	uint64_t size = 0;
	int err = scan_size(s, &size);
	while (err == E_OK) {
		uint64_t at = s->offset;
		struct commit_head head;
		struct slice entries;
		err = scan_next(s, size, &head, &entries);
		if (err == E_OK) {
			if (head.first > r->next_index) {
				note_corruption(r, r->file, at, head.first - r->next_index);
			}
			if (head.first + head.count > r->next_index) {
				r->next_index = head.first + head.count;
			}
			continue;
		}
		if (err == E_END) {
			err = scan_resync(s, size, r->next_index, &head);
		}
		if (err == E_OK) {
			note_corruption(r, r->file, at, head.first - r->next_index);
			r->next_index = head.first;
		}
	}
	return err == E_END ? E_OK : err;
}

/* What stands behind the last valid commit, and what the tip says of it. */
static int judge_tail(struct recovered *r, struct scan *s, const struct tip *tip)
{
	r->end = s->offset;
	bool tip_here = tip != NULL && tip->has_file && raw_key_compare(tip->file, r->file) == 0;
	if (tip_here && tip->offset > r->end) {
		note_corruption(r, r->file, r->end, 0);
		r->end = tip->offset;
	}
	uint64_t used = 0;
	int err = scan_used(s, &used);
	if (err == E_OK && used > r->end) {
		r->torn_bytes = used - r->end;
	}
	return err;
}

static int read_last(struct recovered *r, int dir_fd, const struct raw_list *files,
                     const struct tip *tip)
{
	struct scan s = {.fd = -1};
	int err = E_END;
	for (size_t i = files->count; i > 0 && err == E_END; i--) {
		err = scan_open(&s, dir_fd, files->keys[i - 1]);
		if (err == E_CORRUPT) {
			note_corruption(r, files->keys[i - 1], 0, 0);
			err = E_END;
		} else if (err == E_OK) {
			r->has_file = true;
			r->file = files->keys[i - 1];
			r->next_index = r->file.first;
		}
	}
	if (err != E_OK) {
		return err == E_END ? E_OK : err;
	}
	err = follow_commits(r, &s);
	if (err == E_OK) {
		err = judge_tail(r, &s, tip);
	}
	scan_close(&s);
	return err;
}

int recover_find_end(struct recovered *out, int dir_fd, const struct raw_list *files,
                     const struct tip *tip)
{
	*out = (struct recovered){0};
	if (files->count > 0) {
		out->has_name = true;
		out->newest = files->keys[files->count - 1];
	}
	int err = read_last(out, dir_fd, files, tip);
	if (err != E_OK) {
		return err;
	}
	/* A file is named only after its first commit is durable: what its name says of numbers is
	 * true even if nothing else of it is left. */
	uint64_t known = out->has_name ? out->newest.first : 0;
	if (tip != NULL && tip->next_index > known) {
		known = tip->next_index;
	}
	if (known > out->next_index) {
		note_corruption(out, out->newest, out->has_file ? out->end : 0,
		                known - out->next_index);
		out->next_index = known;
	}
	return E_OK;
}
