/* Inside the binding: one scalar of the file into one member, and how a complaint is made.
 *
 * `base` is the struct that the option's offset counts from. After a complaint the member stays as it was; a text keeps its mark, to
 * tell what is wrong from what is not there.
 * Thread: one at a time. */
#pragma once

#include "base/diag.h"
#include "config/config.h"
#include "config/options.h"
#include "config/yaml.h"

struct binder {
	const char *file;
	const char *folder; /* absolute */
	struct diag *diag;
	bool nomem;
};

/* An error, unless there were a hundred. */
void binder_complain(struct binder *b, struct mark at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* `where` is an OPTION_AT(). */
void binder_mark(char *base, size_t where, struct mark at);
/* "a|b|c" as "a, b, c", cut at cap; returns `out`. */
const char *binder_words(char *out, size_t cap, const char *words);
/* The place of `text` in "a|b|c"; the number of words, and not *found, when it is none of them. */
int binder_word(const char *words, const char *text, bool *found);
/* The text in its one form, on the heap and the caller's; NULL after a complaint or without memory. */
char *binder_text(struct binder *b, const struct config_option *o, const struct yaml_node *node);

void scalar_text(struct binder *b, const struct config_option *o, char *base,
                 const struct yaml_node *node);
void scalar_bool(struct binder *b, const struct config_option *o, char *base,
                 const struct yaml_node *node);
/* COUNT, SIZE, DURATION, DATE, MODE */
void scalar_number(struct binder *b, const struct config_option *o, char *base,
                   const struct yaml_node *node);
void scalar_choice(struct binder *b, const struct config_option *o, char *base,
                   const struct yaml_node *node);
void scalar_range(struct binder *b, const struct config_option *o, char *base,
                  const struct yaml_node *node);
