// replay: readers that ask for the past of an HTTP stream and notice when they are live.
// A stored event carries the marker "@!<8 hex seq>"; each reader counts them and sees whether one is missing or out of
// order. It is live with the first keep-alive behind the last stored event. One epoll thread; prints one line of JSON.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ALIVE "\"stillalive\""
#define KEPT 16  // of the end of a read, where a keep-alive may have begun

typedef struct {
  int fd, state, digits, live;
  uint32_t seq;
  long count, next;
  char end[KEPT];
} Reader;

static int port = 2069, readers = 1;
static long last = -1;
static double seconds = 0, timeout_s = 120;
static const char *path = "/", *headers = "X-Fetch-Since: 0\r\n", *cursor_file = NULL;
static char (*cursors)[64];
static int cursor_count = 0, ep;
static long total = 0, replays = 0, disordered = 0, closed = 0;
static double bytes = 0, first_live = 0, all_live = 0;

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }

static void fail(const char *what) { perror(what); exit(2); }

static void start(Reader *r, int index) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
  memset(r, 0, sizeof *r);
  r->next = -1;
  r->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (r->fd < 0 || connect(r->fd, (void *)&a, sizeof a)) fail("connect");
  char request[1024];
  int n = cursor_count
    ? snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nX-Fetch-Since-Cursor: %s\r\n\r\n", path, cursors[index % cursor_count])
    : snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, headers);
  if (write(r->fd, request, n) != n) fail("request");
  struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = r};
  if (epoll_ctl(ep, EPOLL_CTL_ADD, r->fd, &e)) fail("epoll");
}

static void take(Reader *r) {
  if (r->next >= 0 && r->seq != r->next) disordered++;
  r->next = (long)r->seq + 1;
  r->count++;
  total++;
}

static void scan(Reader *r, const char *p, ssize_t n) {
  const char *e = p + n;
  while (p < e) {
    if (r->state == 0) {
      p = memchr(p, '@', e - p);
      if (!p) return;
      p++;
      r->state = 1;
    } else if (r->state == 1) {
      r->state = *p == '!' ? 2 : 0;
      if (r->state == 2) p++, r->digits = 0, r->seq = 0;
    } else {
      char c = *p++;
      r->seq = r->seq * 16 + (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
      if (++r->digits == 8) r->state = 0, take(r);
    }
  }
}

// A keep-alive stands at the end of what was read: nothing follows it at once, or only little.
static int sees_alive(Reader *r, const char *buffer, ssize_t n) {
  char tail[KEPT + 512];
  int k = n > 512 ? 512 : n;
  memcpy(tail, r->end, KEPT);
  memcpy(tail + KEPT, buffer + n - k, k);
  memcpy(r->end, tail + k, KEPT);
  return r->count > 0 && r->next > last && memmem(tail, KEPT + k, ALIVE, strlen(ALIVE)) != NULL;
}

static void read_cursors(void) {
  FILE *f = fopen(cursor_file, "r");
  if (!f) fail(cursor_file);
  cursors = calloc(65536, sizeof *cursors);
  while (cursor_count < 65536 && fscanf(f, "%63s", cursors[cursor_count]) == 1) cursor_count++;
  fclose(f);
}

int main(int c, char **v) {
  for (int i = 1; i + 1 < c; i += 2) {
#define S(n, d) else if (!strcmp(v[i], n)) d = v[i + 1];
#define N(n, d) else if (!strcmp(v[i], n)) d = atof(v[i + 1]);
    if (0) {} N("--port", port) N("--readers", readers) N("--last", last) N("--seconds", seconds) N("--timeout", timeout_s)
    S("--path", path) S("--headers", headers) S("--cursors", cursor_file)
    else { fprintf(stderr, "unknown option %s\n", v[i]); return 2; }
  }
  if (cursor_file) read_cursors();
  struct rlimit rl;
  getrlimit(RLIMIT_NOFILE, &rl);
  rl.rlim_cur = rl.rlim_max;
  setrlimit(RLIMIT_NOFILE, &rl);
  ep = epoll_create1(0);
  Reader *all = calloc(readers, sizeof *all);
  static char buffer[1 << 18];
  struct epoll_event ev[512];
  double began = now();
  for (int i = 0; i < readers; i++) start(&all[i], i);
  int live = 0;
  while (closed < readers && (seconds > 0 ? now() - began < seconds : live < readers && now() - began < timeout_s)) {
    int n = epoll_wait(ep, ev, 512, 100);
    for (int i = 0; i < n; i++) {
      Reader *r = ev[i].data.ptr;
      ssize_t got = read(r->fd, buffer, sizeof buffer);
      if (got <= 0) {
        close(r->fd);
        closed++;
        continue;
      }
      bytes += got;
      scan(r, buffer, got);
      if (r->live || !sees_alive(r, buffer, got)) continue;
      r->live = 1;
      live++;
      replays++;
      all_live = now() - began;
      if (!first_live) first_live = all_live;
      if (seconds > 0) close(r->fd), start(r, r - all);
    }
  }
  double took = seconds > 0 ? now() - began : all_live;
  printf("{\"readers\":%d,\"replays\":%ld,\"live\":%d,\"events\":%ld,\"seconds\":%.3f,\"events_per_s\":%.0f,\"mb_per_s\":%.1f,\"first_live_s\":%.3f,\"all_live_s\":%.3f,\"disordered\":%ld,\"closed\":%ld}\n",
         readers, replays, live, total, took, total / took, bytes / took / 1e6, first_live, all_live, disordered, closed);
  return 0;
}
