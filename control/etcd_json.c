/* Numbers and texts as etcd's JSON gateway has them; etcd_client.h. */
#include "control/etcd_client.h"

#include <stdlib.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

uint64_t
etcd_number(const json_t *object, const char *key)
{
	const json_t *n = json_object_get(object, key);

	if (json_is_string(n))
		return strtoull(json_string_value(n), NULL, 10);
	return json_is_integer(n) ? (uint64_t)json_integer_value(n) : 0;
}

json_t *
etcd_text(const char *text)
{
	char out[1024];
	size_t n = strlen(text), used = 0;

	for (size_t i = 0; i < n && used + 5 < sizeof(out); i += 3) {
		uint32_t left = (uint32_t)(n - i), three = (uint32_t)(unsigned char)text[i] << 16;

		if (left > 1)
			three |= (uint32_t)(unsigned char)text[i + 1] << 8;
		if (left > 2)
			three |= (unsigned char)text[i + 2];
		out[used++] = digits[three >> 18];
		out[used++] = digits[three >> 12 & 63];
		out[used++] = left > 1 ? digits[three >> 6 & 63] : '=';
		out[used++] = left > 2 ? digits[three & 63] : '=';
	}
	return json_stringn(out, used);
}

bool
etcd_text_read(const json_t *object, const char *key, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));
	uint32_t bits = 0, n_bits = 0;
	size_t used = 0;

	for (; text && *text && *text != '='; text++) {
		const char *digit = strchr(digits, *text);

		if (!digit || used + 1 >= size)
			return false;
		bits = bits << 6 | (uint32_t)(digit - digits);
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out[used++] = (char)(bits >> n_bits & 255);
		}
	}
	out[used] = '\0';
	return text != NULL;
}
