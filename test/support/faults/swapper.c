/* Exchanges two names in a directory as fast as the kernel can, until its standard input ends: DIRECTORY ONE OTHER. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

int main(int count, char **words) {
  if (count != 4 || chdir(words[1]) != 0) return 2;
  unsigned long swaps = 0;
  struct pollfd end = {.fd = 0, .events = POLLIN};
  while (poll(&end, 1, 0) == 0) {
    for (int burst = 0; burst < 1000; burst += 1) {
      if (renameat2(AT_FDCWD, words[2], AT_FDCWD, words[3], RENAME_EXCHANGE) != 0) return 1;
      swaps += 1;
    }
  }
  printf("%lu\n", swaps);
  return 0;
}
