#include "config/utf8.h"

size_t utf8_length(const unsigned char *p, size_t left)
{
	if (p[0] < 0x80) {
		return 1;
	}
	size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
	if (p[0] < 0xC2 || p[0] > 0xF4 || left < n) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80) {
			return 0;
		}
	}
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
	    (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F)) {
		return 0;
	}
	return n;
}

bool utf8_is_control(const unsigned char *p, bool lines_allowed)
{
	if (lines_allowed && (*p == '\t' || *p == '\n' || *p == '\r')) {
		return false;
	}
	return *p < 0x20 || *p == 0x7F || (*p == 0xC2 && p[1] < 0xA0);
}
