package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/zkrecipe/zkrecipe/session/internal/dial"
	"github.com/zkrecipe/zkrecipe/session/internal/digest"
	"github.com/zkrecipe/zkrecipe/session/internal/wire"
)

// SASL authenticates connections by a mechanism of the Simple Authentication and Security Layer. It
// is called for each new connection, before anything is sent on it. Several goroutines may call it.
// server is host:port as in the connect string. It must return by the end of ctx, which comes soon.
// Long work, such as a request to a KDC, has to continue in the background, and the next call uses
// its result. An error counts as one failed attempt at that server. Other attempts follow.
//
// [SASLDigest] is one; package session/sasl/kerberos, a module of its own, has another.
type SASL func(ctx context.Context, server string) (SASLExchange, error)

// A SASLExchange is the client's side of one authentication. It is used by one goroutine. If it
// also has the method Refused(), the session calls that when the server answers that it refuses the
// client. Then the next exchange can present something else. An exchange that wraps another one has
// to pass the call on.
type SASLExchange interface {
	// Next takes the server's answer, and returns what to send to it. In the first call, and when
	// the server has answered without a token, challenge is nil. done says that the server is
	// authenticated as far as the mechanism does that, and that nothing more is sent. If a server
	// ends the exchange before that, Next must return an error: such a server must not be trusted.
	Next(challenge []byte) (token []byte, done bool, err error)
}

// SASLDigest authenticates a user of the servers' JAAS configuration by a password, with the
// mechanism DIGEST-MD5 of RFC 2831. The password itself is not sent, but MD5 is weak, and the
// mechanism does not encrypt the connection. Use TLS, too.
func SASLDigest(user, password string) SASL {
	return func(context.Context, string) (SASLExchange, error) { return digest.New(user, password) }
}

// saslRounds is how often every server has to refuse the client before the client gives up. Servers
// before 3.9.3 share one handler among all connections. They may refuse one connection because of
// another that authenticates at the same moment (ZOOKEEPER-4839).
const saslRounds = 3

// refusals counts, for each server and over all sessions of a client, how often the client was
// refused since the last success.
type refusals struct {
	mu sync.Mutex
	by map[string]int
}

// add counts a refusal, and reports whether all servers have refused often enough.
func (r *refusals) add(server string, all []dial.Server) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[string]int{}
	}
	r.by[server]++
	return !slices.ContainsFunc(all, func(x dial.Server) bool { return r.by[x.Addr] < saslRounds })
}

func (r *refusals) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.by)
}

// saslRefused notes that a server refuses the client. The caller holds s.mu.
func (s *Session) saslRefused(server string, err error) {
	if s.refusals.add(server, s.dialer.Servers()) {
		s.finish(fmt.Errorf("%w: every server has refused it %d times: no other attempt is made, and the client is closed; look at the user, its password or ticket, the clocks, and the servers' JAAS configuration: %w",
			ErrAuthFailed, saslRounds, err))
	}
}

// beginExchange begins the authentication of a connection, if one is configured.
func (s *Session) beginExchange(server string, deadline time.Time) (wire.Exchange, error) {
	if s.cfg.SASL == nil {
		return nil, nil
	}
	ctx, cancel := context.WithDeadline(s.ctx, deadline)
	defer cancel()
	x, err := s.cfg.SASL(ctx, server)
	if err == nil && x == nil {
		err = errors.New("Config.SASL has returned no exchange")
	}
	if err != nil {
		return nil, fmt.Errorf("SASL: %w", err)
	}
	return x, nil
}
