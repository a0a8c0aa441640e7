/* Sockets as the resolver needs them; opened by a parent, used by its children. All are non-blocking and close-on-exec.
 */
#ifndef CANDOR_NET_SOCKET_H
#define CANDOR_NET_SOCKET_H

#include <stdbool.h>

#include "resolver/base/addr.h"
#include "resolver/base/err.h"

/* UDP socket bound to `a` with SO_REUSEPORT (when shared), IP_PKTINFO/IPV6_RECVPKTINFO, SO_RXQ_OVFL, IPV6_V6ONLY, large
 * buffers (SO_RCVBUFFORCE, else SO_RCVBUF: the bytes got are in *rcvbuf, may be NULL), no path-MTU discovery on
 * answers. fd or error. */
int socket_udp(const struct addr *a, bool shared, int *rcvbuf, struct err *err) MUST_USE;
/* Listening TCP socket with SO_REUSEPORT (when shared), SO_REUSEADDR, TCP_NODELAY, TCP_DEFER_ACCEPT off, backlog 511.
 * fd or error. */
int socket_tcp(const struct addr *a, bool shared, struct err *err) MUST_USE;
/* The address a socket is bound to. */
int socket_name(int fd, struct addr *a) MUST_USE;
/* Bytes waiting in a UDP receive queue (SIOCINQ sees one datagram; this asks SO_MEMINFO). */
unsigned socket_receive_queue(int fd);
/* Datagrams that this socket has dropped since it was opened, modulo 2^32. */
uint32_t socket_drops(int fd);
/* The error that is pending (an errno, 0: none); it is taken off the socket. */
int socket_error(int fd);

#endif
