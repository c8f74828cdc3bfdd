/* Why connections end: one row each in close_reasons.def. Thread: any, constant. */
#pragma once

#include <stdbool.h>

enum close_reason {
#define CLOSE(symbol, name, fault, sentence) CLOSE_##symbol,
#include "proxy/close_reasons.def"
#undef CLOSE
	CLOSE_COUNT,
};

struct close_reason_row {
	const char *name;
	bool fault; /* outcome failure */
	const char *sentence;
};

const struct close_reason_row *close_reason_row(enum close_reason reason);
