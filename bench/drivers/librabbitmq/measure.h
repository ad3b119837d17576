/* What a slice of operations costs: CPU time of the process, and how long each operation took that waited. */

#ifndef MEASURE_H
#define MEASURE_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "json.h"

static double *latencies;
static size_t latency_count, latency_room;

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

/* Notes how long an operation took. */
static void took(double since) {
  if (latency_count == latency_room) {
    latency_room = latency_room == 0 ? 4096 : 2 * latency_room;
    latencies = realloc(latencies, latency_room * sizeof *latencies);
    if (latencies == NULL) die("no memory");
  }
  latencies[latency_count++] = now() - since;
}

static struct rusage usage(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used;
}

static double microseconds(struct timeval from, struct timeval to) {
  return (to.tv_sec - from.tv_sec) * 1e6 + (to.tv_usec - from.tv_usec);
}

static double user_time(struct rusage from, struct rusage to) {
  return microseconds(from.ru_utime, to.ru_utime);
}

static double system_time(struct rusage from, struct rusage to) {
  return microseconds(from.ru_stime, to.ru_stime);
}

/* When no other slice begins: milliseconds of CPU time, or those that pass, or in place of them so many slices. */
struct limits {
  double milliseconds, longest;
  unsigned slices;
};

/* The limits of "warmUp" or of "measure". */
static struct limits limits_of(const char *assignment, const char *part) {
  const char *longest = json_member(assignment, "longest");
  struct limits limits = {
      .milliseconds = json_number(json_member(assignment, part)),
      .longest = longest == NULL ? HUGE_VAL : json_number(longest),
      .slices = json_number(json_member(json_member(assignment, "slices"), part)),
  };
  return limits;
}

static unsigned repeat(void (*slice)(unsigned), unsigned count, struct limits limits) {
  struct rusage before = usage();
  double started = now();
  for (unsigned done = 1;; done += 1) {
    struct rusage after;
    slice(count);
    after = usage();
    if (limits.slices > 0 ? done >= limits.slices
                          : user_time(before, after) + system_time(before, after) >= limits.milliseconds * 1000 ||
                                now() - started >= limits.longest * 1000)
      return done * count;
  }
}

static int compare(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return difference < 0 ? -1 : difference > 0;
}

static double percentile(double part) {
  size_t at = part * latency_count;
  return latencies[at < latency_count ? at : latency_count - 1];
}

/* Warms up, measures, and prints the report. */
static void measure(const char *assignment, void (*slice)(unsigned)) {
  unsigned count = json_number(json_member(json_member(assignment, "task"), "slice"));
  unsigned operations;
  struct rusage before, after;
  double started, elapsed;

  repeat(slice, count, limits_of(assignment, "warmUp"));
  latency_count = 0;
  started = now();
  before = usage();
  operations = repeat(slice, count, limits_of(assignment, "measure"));
  after = usage();
  elapsed = now() - started;

  printf("{\"operations\":%u,\"user\":%.0f,\"system\":%.0f,\"elapsed\":%.0f,\"collections\":0,\"collecting\":0,"
         "\"rss\":[%.0f]",
         operations, user_time(before, after), system_time(before, after), elapsed, after.ru_maxrss * 1024.0);
  if (latency_count > 0) {
    qsort(latencies, latency_count, sizeof *latencies, compare);
    printf(",\"latency\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}", percentile(0.5), percentile(0.9),
           percentile(0.99), percentile(1));
  }
  puts("}");
}

#endif
