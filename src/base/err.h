/* Our own failures: 0 or a negative E_*. What a peer did wrong is a class or a close reason instead
 * (peer/classes.def, proxy/close_reasons.def), a bug is BUG_IF. Thread: any. */
#pragma once

enum err {
	E_OK = 0,
	E_NOMEM = -1,   /* out of memory */
	E_LIMIT = -2,   /* a bound of ours was reached */
	E_AGAIN = -3,   /* not now; ask again after an event */
	E_END = -4,     /* nothing more, properly ended */
	E_INVALID = -5, /* the input breaks its format */
	E_CORRUPT = -6, /* stored bytes are not what was stored */
	E_EXISTS = -7,
	E_NOT_FOUND = -8,
	E_ACCESS = -9,   /* permission denied */
	E_BUSY = -10,    /* somebody else holds it */
	E_NOSPACE = -11, /* disk or quota full */
	E_IO = -12,      /* any other failure of a system call */
	E_VERSION = -13, /* a format newer than this program */
	E_TIMEOUT = -14,
};

/* The E_* that fits `errno`; errno itself stays as it is. Never E_OK. */
int err_from_errno(void);
/* A few words for people, static. */
const char *err_text(int err);
