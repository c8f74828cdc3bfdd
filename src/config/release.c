/* Frees a struct config by the same table that it was bound with. */
#include <stdlib.h>

#include "config/bind.h"
#include "config/options.h"

static void release_labels(struct config_labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		free(labels->items[i].name.text);
		free(labels->items[i].value.text);
	}
	free(labels->items);
}

static void release_texts(struct config_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++) {
		free(texts->items[i].text);
	}
	free(texts->items);
}

static void release_group(const char *group, char *base)
{
	char inner[OPTION_GROUP_MAX];
	const struct config_option *o = NULL;
	while ((o = option_next(group, o)) != NULL) {
		char *member = base + o->offset;
		if (o->kind == OPTION_OBJECT) {
			release_group(option_group(inner, o), base);
		} else if (o->kind == OPTION_TEXT) {
			free(((struct config_text *)member)->text);
		} else if (o->kind == OPTION_TEXTS) {
			release_texts((struct config_texts *)member);
		} else if (o->kind == OPTION_LABELS) {
			release_labels((struct config_labels *)member);
		} else if (o->kind == OPTION_ELEMENTS || o->kind == OPTION_MEMBERS) {
			size_t count = *(size_t *)(base + o->count - 1);
			char *elements = *(char **)member;
			for (size_t i = 0; i < count; i++) {
				release_group(option_group(inner, o),
				              elements + i * o->element_size);
			}
			free(elements);
		}
	}
}

void bind_release(struct config *config)
{
	release_group("", (char *)config);
}
