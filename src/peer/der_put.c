#include "peer/der_put.h"

size_t der_put_len(size_t content)
{
	size_t len = 2 + content;
	for (size_t rest = content < 0x80 ? 0 : content; rest != 0; rest >>= 8) {
		len++;
	}
	return len;
}

void der_put_head(struct buf *out, uint8_t tag, size_t content)
{
	buf_append_byte(out, tag);
	if (content < 0x80) {
		buf_append_byte(out, (uint8_t)content);
		return;
	}
	/* X.690 10.1 */
	size_t octets = der_put_len(content) - content - 2;
	buf_append_byte(out, (uint8_t)(0x80 | octets));
	while (octets-- > 0) {
		buf_append_byte(out, (uint8_t)(content >> 8 * octets));
	}
}

void der_put(struct buf *out, uint8_t tag, struct slice content)
{
	der_put_head(out, tag, content.len);
	buf_append_slice(out, content);
}
