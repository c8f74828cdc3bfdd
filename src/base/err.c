#include "base/err.h"

#include <errno.h>

int err_from_errno(void)
{
	switch (errno) {
	case ENOMEM:
		return E_NOMEM;
	case EAGAIN:
	case EINTR:
		return E_AGAIN;
	case EEXIST:
		return E_EXISTS;
	case ENOENT:
	case ENOTDIR:
		return E_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return E_ACCESS;
	case EBUSY:
	case EADDRINUSE:
		return E_BUSY;
	case ENOSPC:
	case EDQUOT:
		return E_NOSPACE;
	case EMFILE:
	case ENFILE:
		return E_LIMIT;
	case ETIMEDOUT:
		return E_TIMEOUT;
	default:
		return E_IO;
	}
}

const char *err_text(int err)
{
	switch ((enum err)err) {
	case E_OK:
		return "no error";
	case E_NOMEM:
		return "out of memory";
	case E_LIMIT:
		return "limit reached";
	case E_AGAIN:
		return "not ready";
	case E_END:
		return "end";
	case E_INVALID:
		return "malformed";
	case E_CORRUPT:
		return "corrupt";
	case E_EXISTS:
		return "exists already";
	case E_NOT_FOUND:
		return "not found";
	case E_ACCESS:
		return "permission denied";
	case E_BUSY:
		return "in use";
	case E_NOSPACE:
		return "no space left";
	case E_IO:
		return "input/output error";
	case E_VERSION:
		return "newer format";
	case E_TIMEOUT:
		return "timed out";
	}
	return "unknown error";
}
