/* As much of JSON as an assignment takes: it is written by JSON.stringify, without spaces, and nothing is copied. */

#ifndef JSON_H
#define JSON_H

#include <stdlib.h>
#include <string.h>

/* Behind a string that begins here. */
static const char *json_after_string(const char *at) {
  for (at += 1; *at != '"'; at += 1)
    if (*at == '\\') at += 1;
  return at + 1;
}

/* Behind a value that begins here. */
static const char *json_after(const char *at) {
  int depth = 0;
  do {
    if (*at == '"') {
      at = json_after_string(at);
      continue;
    }
    if (*at == '{' || *at == '[') depth += 1;
    if (*at == '}' || *at == ']') depth -= 1;
    at += 1;
  } while (depth > 0 || (*at != ',' && *at != '}' && *at != ']' && *at != '\0'));
  return at;
}

/* The value of a member of an object; NULL where there is no object, or no such member. */
static const char *json_member(const char *object, const char *name) {
  size_t length = strlen(name);
  const char *at = object;
  if (object == NULL || *object != '{') return NULL;
  while (*at != '}') {
    const char *key = at + 2;
    const char *value;
    at = json_after_string(at + 1);
    value = at + 1;
    if ((size_t)(at - key) == length + 1 && memcmp(key, name, length) == 0) return value;
    at = json_after(value);
  }
  return NULL;
}

/* The next value of an array, given the array's beginning or the value before; NULL at its end. */
static const char *json_next(const char *at) {
  if (at == NULL) return NULL;
  if (*at != '[') at = json_after(at);
  return at[0] == ']' || at[1] == ']' ? NULL : at + 1;
}

static double json_number(const char *value) {
  return value == NULL ? 0 : strtod(value, NULL);
}

static int json_is_true(const char *value) {
  return value != NULL && *value == 't';
}

static int json_is(const char *value, const char *text) {
  size_t length = strlen(text);
  return value != NULL && *value == '"' && strncmp(value + 1, text, length) == 0 && value[length + 1] == '"';
}

#endif
