// stalled: subscribers that never read. argv: port count [path] [receive buffer bytes].
// Prints "ready" once all have sent their request, and stays until it is killed.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 3) { fprintf(stderr, "usage: stalled PORT COUNT [PATH] [RCVBUF]\n"); return 2; }
  int port = atoi(argv[1]), count = atoi(argv[2]), rcvbuf = argc > 4 ? atoi(argv[4]) : 4096;
  const char *path = argc > 3 ? argv[3] : "/bench";
  struct rlimit limit; getrlimit(RLIMIT_NOFILE, &limit); limit.rlim_cur = limit.rlim_max; setrlimit(RLIMIT_NOFILE, &limit);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  char request[512];
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
  for (int i = 0; i < count; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    // Before connect: the window is agreed upon then.
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    if (connect(fd, (void *)&address, sizeof address) || write(fd, request, length) != length) { perror("connect"); return 1; }
  }
  printf("ready\n"); fflush(stdout);
  pause();
  return 0;
}
