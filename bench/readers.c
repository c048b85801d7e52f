// readers: subscribers that count bytes, through TLS or without. argv: port count [tls].
// Prints "ready" once each has received its first bytes; then, for each line on stdin, the bytes received so far.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 18];
static const char request[] = "GET /bench HTTP/1.1\r\nHost: localhost\r\n\r\n";

int main(int argc, char **argv) {
  if (argc < 3) { fprintf(stderr, "usage: readers PORT COUNT [tls]\n"); return 2; }
  int port = atoi(argv[1]), count = atoi(argv[2]), opened = 0;
  SSL_CTX *context = argc > 3 ? SSL_CTX_new(TLS_client_method()) : NULL;
  struct rlimit limit; getrlimit(RLIMIT_NOFILE, &limit); limit.rlim_cur = limit.rlim_max; setrlimit(RLIMIT_NOFILE, &limit);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int *fds = calloc(count, sizeof *fds);
  SSL **secure = calloc(count, sizeof *secure);
  unsigned long long bytes = 0;
  int poll = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    int fd = fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (void *)&address, sizeof address)) { perror("connect"); return 1; }
    ssize_t got;
    if (context) {
      secure[i] = SSL_new(context); SSL_set_fd(secure[i], fd);
      if (SSL_connect(secure[i]) != 1) { fprintf(stderr, "no TLS\n"); return 1; }
      SSL_write(secure[i], request, sizeof request - 1);
      got = SSL_read(secure[i], buffer, sizeof buffer);
    } else {
      if (write(fd, request, sizeof request - 1) < 0) { perror("write"); return 1; }
      got = read(fd, buffer, sizeof buffer);
    }
    if (got <= 0) { fprintf(stderr, "closed\n"); return 1; }
    opened++;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
  }
  struct epoll_event input = {.events = EPOLLIN, .data.u32 = count}, events[256];
  epoll_ctl(poll, EPOLL_CTL_ADD, 0, &input);
  printf("ready\n"); fflush(stdout);
  while (opened > 0) {
    int n = epoll_wait(poll, events, 256, -1);
    for (int e = 0; e < n; e++) {
      int i = events[e].data.u32;
      if (i == count) {
        if (read(0, buffer, 1) <= 0) return 0;
        printf("%llu\n", bytes); fflush(stdout);
        continue;
      }
      // What TLS has taken in but not handed out would not wake epoll again.
      ssize_t got;
      do {
        got = context ? SSL_read(secure[i], buffer, sizeof buffer) : read(fds[i], buffer, sizeof buffer);
        if (got > 0) bytes += got;
      } while (got > 0 && context && SSL_pending(secure[i]) > 0);
      if (got <= 0) { close(fds[i]); opened--; }
    }
  }
  return 0;
}
