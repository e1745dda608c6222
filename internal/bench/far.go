package main

import (
	"fmt"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
)

// distance is how long a message takes between a client and a server that are far from each other:
// two data centres of one region, for example.
const distance = time.Millisecond

// measureFar measures with clients that are far from the servers. The servers are as near to each
// other as before.
func measureFar(l *lab) error {
	far := *l
	far.addrs, far.where = nil, fmt.Sprintf("Each message between client and server takes %v. ", distance)
	for _, addr := range l.addrs {
		p, err := faultproxy.New(addr)
		if err != nil {
			return err
		}
		defer p.Close()
		p.Delay(faultproxy.ToServer|faultproxy.ToClient, distance)
		far.addrs = append(far.addrs, p.Addr())
	}
	return measureAgain(&far)
}
