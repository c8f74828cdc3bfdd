#include "proxy/close_reason.h"

#include "base/bug.h"

static const struct close_reason_row rows[] = {
#define CLOSE(symbol, name, fault, sentence) {name, fault, sentence},
#include "proxy/close_reasons.def"
#undef CLOSE
};

const struct close_reason_row *close_reason_row(enum close_reason reason)
{
	BUG_IF(reason >= CLOSE_COUNT);
	return &rows[reason];
}
