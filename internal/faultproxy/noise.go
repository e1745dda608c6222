//go:build zkrecipe_noise

package faultproxy

import (
	"math/rand/v2"
	"runtime"
	"time"
)

// noise lets clients and servers go on for a while, at random. It is called whenever the proxy has
// been asked for something. A test that is right only if its next call comes before a client, or
// after it, then fails often, and not once in hundreds of runs.
func (p *Proxy) noise() {
	switch {
	case rand.IntN(3) > 0:
	case !p.pipe:
		time.Sleep(rand.N(20 * time.Millisecond))
	default: // in a bubble, where no time may pass
		for range rand.IntN(200) {
			runtime.Gosched()
		}
	}
}
