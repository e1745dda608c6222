package ensemble

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// Ports are taken in blocks below the range from which the usual systems hand out ports for
// outgoing connections (Linux: 32768 and up), so that a killed server finds its ports still free
// when it returns.
const (
	firstPort      = 20000
	lastPort       = 32000
	blockSize      = 32
	portsPerServer = 5
)

type serverPorts struct{ client, secure, quorum, election, debug int }

// claimPorts finds a block of free ports. The listener it returns holds the first port of the block
// for as long as the ensemble lives and so keeps other processes that use this package off the
// block.
func claimPorts(servers int, host func(int) string) (net.Listener, []serverPorts, error) {
	var last error
	for range 200 {
		base := firstPort + blockSize*rand.IntN((lastPort-firstPort)/blockSize)
		claim, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base)))
		if err != nil {
			last = err
			continue
		}
		ports, err := layout(base+1, servers, host)
		if err == nil {
			return claim, ports, nil
		}
		last = err
		claim.Close()
	}
	return nil, nil, fmt.Errorf("ensemble: no free block of ports: %w", last)
}

func layout(base, servers int, host func(int) string) ([]serverPorts, error) {
	var ports []serverPorts
	for i := range servers {
		b := base + i*portsPerServer
		for p := b; p < b+portsPerServer; p++ {
			if err := probe(host(i), p); err != nil {
				return nil, err
			}
		}
		ports = append(ports, serverPorts{client: b, secure: b + 1, quorum: b + 2, election: b + 3, debug: b + 4})
	}
	return ports, nil
}

// probe tells whether a port can be bound. An address that is not this machine's (a network
// namespace) cannot be probed from here and passes.
func probe(host string, port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return nil
	}
	if err != nil {
		return err
	}
	return l.Close()
}
