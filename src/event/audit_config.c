/* audit.config: one configuration over as many entries as it takes.
 *
 * First the files, then the text, each part as full as PART_MAX allows; text is divided between
 * characters, and what is no UTF-8 in it byte by byte, so the parts' texts one after the other
 * are the whole. */
#include "base/bug.h"
#include "event/audit_entry.h"
#include "event/event.h"

/* Encoded bytes of files and text in one part. Around them are, at most, EVENT_LABELS_MAX, two
 * names of 1 KiB and some hundred bytes of our own: far below EVENT_BODY_MAX together. */
#define PART_MAX 40000
#define FILE_OVERHEAD 320 /* keys, hash, count, dates and punctuation of one file: below 240 */

/* From where to where a part goes. */
struct part {
	size_t file, file_end;
	size_t text, text_end; /* bytes of audit_config.text */
};

static size_t escaped_len(const char *text)
{
	uint8_t scratch[JSON_TEXT_MAX];
	size_t used;
	return json_escape(scratch, sizeof(scratch), slice_text(text), &used);
}

static size_t file_len(const struct audit_file *file)
{
	return FILE_OVERHEAD + escaped_len(file->path) + escaped_len(file->kind) +
	       escaped_len(file->subject);
}

/* What comes behind `from`; false: nothing is left. */
static bool next_part(struct part *part, const struct audit_config *a)
{
	size_t text_len = slice_text(a->text).len;
	size_t room = PART_MAX;
	part->file = part->file_end;
	part->text = part->text_end;
	while (part->file_end < a->file_count && part->file_end - part->file < ENCODER_ARRAY_MAX) {
		size_t need = file_len(&a->files[part->file_end]);
		if (need > room) {
			break;
		}
		room -= need;
		part->file_end++;
	}
	/* In steps of one string's length: no part's text is escaped in one piece. */
	while (part->file_end == a->file_count && part->text_end < text_len &&
	       room >= JSON_TEXT_MAX) {
		uint8_t scratch[JSON_TEXT_MAX];
		size_t used;
		struct slice rest = slice_of(a->text + part->text_end, text_len - part->text_end);
		room -= json_escape(scratch, sizeof(scratch), rest, &used);
		part->text_end += used;
	}
	return part->file_end > part->file || part->text_end > part->text;
}

unsigned event_audit_config_parts(const struct audit_config *a)
{
	struct part part = {0};
	unsigned parts = 0;
	while (next_part(&part, a)) {
		parts++;
	}
	return parts > 0 ? parts : 1;
}

static bool is_crl(const struct audit_file *file)
{
	return strcmp(file->kind, "crl") == 0;
}

static bool is_list(const struct audit_file *file)
{
	return is_crl(file) || strcmp(file->kind, "allow") == 0 || strcmp(file->kind, "deny") == 0;
}

static void put_file_times(struct encoder *e, const struct audit_file *file)
{
	if (is_crl(file)) {
		put_time_s(e, FIELD_TLSCRIBE_AUDIT_FILES_THIS_UPDATE, file->this_update_s);
		if (file->next_update_s != 0) {
			put_time_s(e, FIELD_TLSCRIBE_AUDIT_FILES_NEXT_UPDATE, file->next_update_s);
		}
	} else if (file->subject != NULL) {
		put_time_s(e, FIELD_TLSCRIBE_AUDIT_FILES_NOT_BEFORE, file->not_before_s);
		put_time_s(e, FIELD_TLSCRIBE_AUDIT_FILES_NOT_AFTER, file->not_after_s);
	}
}

static void put_files(struct encoder *e, const struct audit_config *a, const struct part *part)
{
	struct json_mark mark;
	if (!open_array(e, FIELD_TLSCRIBE_AUDIT_FILES, &mark)) {
		return;
	}
	for (size_t i = part->file; i < part->file_end; i++) {
		const struct audit_file *file = &a->files[i];
		struct json_mark element = open_element(e);
		put_string(e, FIELD_TLSCRIBE_AUDIT_FILES_PATH, file->path);
		put_string(e, FIELD_TLSCRIBE_AUDIT_FILES_KIND, file->kind);
		put_hex(e, FIELD_TLSCRIBE_AUDIT_FILES_SHA256, slice_of(file->sha256, 32));
		if (is_list(file)) {
			put_u64(e, FIELD_TLSCRIBE_AUDIT_FILES_ENTRIES, file->entries);
		}
		put_string(e, FIELD_TLSCRIBE_AUDIT_FILES_SUBJECT, file->subject);
		put_file_times(e, file);
		close_element(e, element);
	}
	close_array(e, FIELD_TLSCRIBE_AUDIT_FILES, mark);
}

static void put_config_text(struct encoder *e, const struct audit_config *a, const struct part *part)
{
	if (part->text_end == part->text) {
		return;
	}
	put_raw(e, FIELD_TLSCRIBE_AUDIT_TEXT, "\"", 1);
	size_t at = part->text;
	while (at < part->text_end) {
		uint8_t escaped[JSON_TEXT_MAX];
		size_t used;
		size_t len = json_escape(escaped, sizeof(escaped),
		                         slice_of(a->text + at, part->text_end - at), &used);
		json_raw(&e->json, escaped, len);
		at += used;
	}
	json_raw(&e->json, "\",", 2);
}

static void tell(struct message *m, const struct audit_config *a, unsigned number, unsigned parts)
{
	bool lists = strcmp(a->reason, "lists") == 0;
	message_text(m, "configuration ");
	message_u64(m, a->epoch);
	message_text(m, " came into force (");
	message_text(m, lists ? "CRLs or lists were replaced" : a->reason);
	message_text(m, ")");
	if (parts > 1) {
		message_text(m, ", part ");
		message_u64(m, number);
		message_text(m, " of ");
		message_u64(m, parts);
	}
}

int event_encode_audit_config(struct buf *out, const struct event_source *from, const char *id,
                              const struct audit_config *a, unsigned number)
{
	struct encoder e;
	struct part part = {0};
	unsigned parts = event_audit_config_parts(a);
	BUG_IF(number < 1 || number > parts);
	for (unsigned i = 0; i < number; i++) {
		next_part(&part, a);
	}
	struct audit_entry entry = {
		.id = id,
		.action = "audit.config",
		.category = "configuration",
		.type = "change",
		.severity = 2,
		.at_us = a->at_us,
	};
	tell(&entry.message, a, number, parts);

	encoder_begin(&e, out, from);
	audit_open(&e, &entry);
	struct json_mark policy = open_object(&e, "policy");
	put_u64(&e, FIELD_TLSCRIBE_POLICY_EPOCH, a->epoch);
	put_hex(&e, FIELD_TLSCRIBE_POLICY_SHA256, slice_of(a->sha256, 32));
	close_object(&e, policy);
	audit_open_details(&e, &entry);
	put_string(&e, FIELD_TLSCRIBE_AUDIT_REASON, a->reason);
	if (a->previous_sha256 != NULL) {
		put_hex(&e, FIELD_TLSCRIBE_AUDIT_PREVIOUS_SHA256, slice_of(a->previous_sha256, 32));
	}
	put_u64(&e, FIELD_TLSCRIBE_AUDIT_PART, number);
	put_u64(&e, FIELD_TLSCRIBE_AUDIT_PARTS, parts);
	put_files(&e, a, &part);
	put_config_text(&e, a, &part);
	return audit_close(&e, &entry);
}
