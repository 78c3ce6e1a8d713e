/* Texts, and the characters of which they may consist. */
#include "text.h"

char *bine_http_text_grow(struct bine_http_text *text, size_t more)
{
    size_t room = text->room ? 2 * text->room : 512;
    while (room - text->size < more)
        room *= 2;
    char *data = realloc(text->data, room);
    if (!data)
        return NULL;
    text->data = data;
    text->room = room;
    return data + text->size;
}

size_t bine_http_digits(char *to, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    for (size_t i = 0; i < count; i++)
        to[i] = digits[count - 1 - i];
    return count;
}

bool bine_http_is_token(const char *text)
{
    const char *at = text;
    while (*at > ' ' && *at < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", *at))
        at++;
    return at > text && *at == '\0';
}

bool bine_http_is_value(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}
