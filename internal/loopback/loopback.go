// Package loopback has loopback addresses that nobody else uses. A port of one is not given to
// others while nobody listens on it. One of 127.0.0.1 may be.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Host returns another address each time. It is 127.0.0.1 on systems that have no other.
func Host() string {
	own := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
	l, err := net.Listen("tcp", net.JoinHostPort(own, "0"))
	if err != nil {
		return "127.0.0.1"
	}
	l.Close()
	return own
}
