// Package dial finds a server to connect to. It tries the servers of an ensemble in rounds,
// resolves their names again for each round, and waits longer when a whole round has failed. It
// replaces zk's HostProvider and Dialer.
package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
	"github.com/zkrecipe/zkrecipe/internal/retry"
)

// Delays between rounds in which no server could be used.
const (
	firstDelay   = 50 * time.Millisecond
	longestDelay = 2 * time.Second
)

// Func makes a network connection, like [net.Dialer.DialContext].
type Func func(ctx context.Context, network, address string) (net.Conn, error)

// Config says which servers to dial, and how.
type Config struct {
	// Servers are host:port, names allowed.
	Servers []string
	// Dial replaces the network. It gets the names as they are. Nil means TCP, with names that are
	// resolved here.
	Dial Func
	// TLS, if not nil, returns the configuration for TLS on top of the connection. The server's
	// name is verified, never its address. TLS is called for each connection. If the handshake
	// fails, the error of TLS becomes a part of the handshake's error.
	TLS func() (*tls.Config, error)
	// Timeout bounds one attempt in a round of this many attempts: connection, TLS and ZooKeeper's
	// handshake.
	Timeout func(attempts int) time.Duration
	// Pause bounds the delay between two rounds, in addition to longestDelay. The delay must be so
	// short that the session is not lost when the servers come back.
	Pause func() time.Duration
	// RoundFailed, if set, is called by Next when a whole round has failed, even if it failed
	// because no name could be resolved. rounds is how many rounds have failed since the last
	// handshake.
	RoundFailed func(rounds int)
	// Names are looked up where Dial is nil.
	Names *Names
	// Clock times the delays.
	Clock clock.Clock
}

// A Server is the last failure of a server, for people to read.
type Server struct {
	// Addr is host:port as in the connect string.
	Addr string
	// Err is why the last attempt or connection ended, nil if there was none or the last handshake
	// succeeded.
	Err error
	// At is when Err happened.
	At time.Time
}

// Dialer tries the servers in rounds. Only one goroutine at a time may call Next. Any goroutine may
// call the other methods.
type Dialer struct {
	cfg     Config
	backoff *retry.Backoff

	// Owned by the caller of Next.
	round []target
	size  int  // of the whole round
	begun bool // there was a round
	brief bool // the last connection that has ended did not last
	bad   int  // rounds that have failed since the last handshake

	mu    sync.Mutex // guards what follows
	last  map[string]*Server
	wrong map[string]error // why the names of servers were not resolved for this round
	using string           // the server of the last successful handshake
	since clock.Instant    // when that was; zero once it has been counted
}

// A target is a server and one of its addresses.
type target struct{ server, addr string }

// New returns a Dialer for cfg.
func New(cfg Config) *Dialer {
	d := &Dialer{
		cfg:     cfg,
		backoff: retry.New(cfg.Clock, firstDelay, longestDelay),
		last:    map[string]*Server{},
	}
	for _, s := range cfg.Servers {
		d.last[s] = &Server{Addr: s}
	}
	return d
}

// Next dials the next server. Its error concerns that server alone, unless ctx has ended. What
// follows on the connection must be over by the deadline.
func (d *Dialer) Next(ctx context.Context) (conn net.Conn, server string, deadline time.Time, err error) {
	if err := d.prepare(ctx); err != nil {
		return nil, "", deadline, err
	}
	t := d.round[0]
	d.round = d.round[1:]
	deadline = time.Now().Add(d.cfg.Timeout(d.size))
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err = d.dial(ctx, t)
	if err != nil {
		d.Failed(t.server, err)
		return nil, t.server, deadline, err
	}
	return conn, t.server, deadline, nil
}

// prepare fills the round if it has no target. It waits first if the last round failed, or if the
// last two connections did not last.
func (d *Dialer) prepare(ctx context.Context) error {
	pause := d.begun && len(d.round) == 0
	d.mu.Lock()
	since := d.since
	d.since = clock.Instant{}
	d.mu.Unlock()
	if !since.IsZero() {
		d.bad = 0
		// A connection has ended, and another one is made at once, in a new round. There is a pause
		// only if the one before it did not last, either. After servers have stood still, a
		// handshake that was given up may move the session away from the first connection.
		d.round = nil
		brief := d.cfg.Clock.Now().Sub(since) < d.cfg.Timeout(1)
		pause = brief && d.brief
		if d.brief = brief; !brief {
			d.backoff.Reset()
		}
	}
	for len(d.round) == 0 {
		if d.begun && since.IsZero() && ctx.Err() == nil {
			d.bad++
			if d.cfg.RoundFailed != nil {
				d.cfg.RoundFailed(d.bad)
			}
		}
		since = clock.Instant{}
		if pause {
			longest := time.Duration(float64(d.cfg.Pause()) * (0.5 + d.cfg.Clock.Random()))
			if err := clock.Sleep(ctx, d.cfg.Clock, min(d.backoff.Next(), longest)); err != nil {
				return err
			}
		}
		d.newRound(ctx)
		d.begun, pause = true, true
	}
	return context.Cause(ctx)
}

// newRound lists every address of every server in random order. The server that was connected last
// is at the end. If no name can be resolved, the list is empty.
func (d *Dialer) newRound(ctx context.Context) {
	addrs, wrong := d.addresses(ctx)
	d.mu.Lock()
	using := d.using
	d.wrong = wrong
	for s, err := range wrong {
		*d.last[s] = Server{Addr: s, Err: err, At: d.cfg.Clock.Wall()}
	}
	d.mu.Unlock()
	var first, last []target
	for _, s := range d.cfg.Servers {
		for _, a := range addrs[s] {
			if s == using {
				last = append(last, target{s, a})
			} else {
				first = append(first, target{s, a})
			}
		}
	}
	d.shuffle(first)
	d.shuffle(last)
	d.round = append(first, last...)
	d.size = len(d.round)
}

func (d *Dialer) shuffle(t []target) {
	for i := len(t) - 1; i > 0; i-- {
		j := int(d.cfg.Clock.Random() * float64(i+1))
		t[i], t[j] = t[j], t[i]
	}
}

// addresses returns the addresses of each server, and why names are not resolved now.
func (d *Dialer) addresses(ctx context.Context) (addrs map[string][]string, wrong map[string]error) {
	if d.cfg.Dial == nil {
		return d.cfg.Names.resolve(ctx, d.cfg.Servers, d.cfg.Timeout(len(d.cfg.Servers)))
	}
	addrs = map[string][]string{}
	for _, s := range d.cfg.Servers {
		addrs[s] = []string{s}
	}
	return addrs, nil
}

func (d *Dialer) dial(ctx context.Context, t target) (net.Conn, error) {
	dial := d.cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", t.addr)
	if err != nil || d.cfg.TLS == nil {
		return conn, err
	}
	current, warning := d.cfg.TLS()
	cfg := current.Clone()
	if cfg.ServerName == "" {
		host, _, _ := net.SplitHostPort(t.server)
		cfg.ServerName, _, _ = strings.Cut(host, "%") // no certificate names a zone
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		if err = explainTLS(err); warning != nil {
			err = fmt.Errorf("%w; %w", err, warning)
		}
		return nil, err
	}
	return secure, nil
}

// explainTLS adds the most likely reason. A ZooKeeper port without TLS reads the first bytes as a
// very large length, and closes the connection.
func explainTLS(err error) error {
	var header tls.RecordHeaderError
	if errors.As(err, &header) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("TLS handshake: %w; does this port speak TLS?", err)
	}
	return fmt.Errorf("TLS handshake: %w", err)
}

// Succeeded says that a handshake with the server is over.
func (d *Dialer) Succeeded(server string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.using, d.since = server, d.cfg.Clock.Now()
	*d.last[server] = Server{Addr: server}
	delete(d.wrong, server) // its address is right
}

// Failed notes why an attempt at the server or a connection to it ended.
func (d *Dialer) Failed(server string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if wrong := d.wrong[server]; wrong != nil { // the address may be an old one
		err = fmt.Errorf("%w; %w", err, wrong)
	}
	*d.last[server] = Server{Addr: server, Err: err, At: d.cfg.Clock.Wall()}
}

// Servers returns the last failure of each server, in the order of the connect string.
func (d *Dialer) Servers() []Server {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]Server, len(d.cfg.Servers))
	for i, s := range d.cfg.Servers {
		all[i] = *d.last[s]
	}
	return all
}
