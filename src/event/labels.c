#include "base/err.h"
#include "event/event.h"
#include "event/json.h"

/* Whether a later one says the name again. */
static bool is_overridden(const struct event_label *labels, size_t count, size_t i)
{
	for (size_t later = i + 1; later < count; later++) {
		if (strcmp(labels[later].name, labels[i].name) == 0) {
			return true;
		}
	}
	return false;
}

static void put_label(struct json *j, const struct event_label *label, bool *cut)
{
	uint8_t name[JSON_TEXT_MAX];
	size_t used;
	size_t len = json_escape(name, sizeof(name), slice_text(label->name), &used);
	*cut = *cut || used < strlen(label->name);
	json_raw(j, "\"", 1);
	json_raw(j, name, len);
	json_raw(j, "\":", 2);
	*cut = json_text(j, slice_text(label->value)) || *cut;
}

int event_labels_encode(struct buf *out, const struct event_label *labels, size_t count)
{
	if (out->err != E_OK) {
		return out->err;
	}
	struct json j;
	bool cut = false;
	size_t start = out->len;
	json_begin(&j, out, EVENT_LABELS_MAX);
	struct json_mark mark = json_open(&j, "{", 1);
	for (size_t i = 0; i < count; i++) {
		if (labels[i].name[0] != '\0' && !is_overridden(labels, count, i) &&
		    labels[i].value != NULL && labels[i].value[0] != '\0') {
			put_label(&j, &labels[i], &cut);
		}
	}
	json_close(&j, mark, '}');
	int err = json_finish(&j);
	if (err == E_OK && cut) {
		buf_truncate(out, start);
		out->err = E_LIMIT;
		err = E_LIMIT;
	}
	return err;
}
