package wire

import (
	"fmt"
	"time"
)

// handshake handles the connect response: it authenticates, and sends the credentials. Then zk gets
// the response.
func (c *Conn) handshake(p []byte) error {
	h, err := parseConnectResponse(p)
	if err != nil {
		return err
	}
	now := c.clock.Now()
	c.mu.Lock()
	asked := len(c.sent) == 1
	c.sent, c.progress = nil, now
	c.mu.Unlock()
	if !asked {
		return fmt.Errorf("%w: it spoke first", ErrProtocol)
	}
	// A session belongs to us when we have authenticated. Before that zk does not know of it, and
	// asks for another session if the server refuses.
	if h.SessionID != 0 && c.creds.SASL != nil {
		if err := c.authenticate(); err != nil {
			return err
		}
	}
	if err := c.hooks.Handshaken(h); err != nil {
		return err
	}
	if h.SessionID == 0 {
		c.fail(errExpired) // zk does not close this connection; it still gets the response
		return nil
	}
	for _, a := range c.creds.Auth {
		if _, err := c.net.Write(authFrame(a)); err != nil {
			return err
		}
		c.presented++
	}
	if err := c.net.SetDeadline(time.Time{}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = true
	return nil
}

// describe says which protocol the other side uses, as far as its first bytes tell.
func describe(head []byte) string {
	switch {
	case string(head) == "HTTP":
		return "it speaks HTTP"
	case head[0] == 0x15 && head[1] == 0x03, head[0] == 0x16 && head[1] == 0x03:
		return "it speaks TLS; a TLS configuration is needed for this port"
	}
	return fmt.Sprintf("it began with the bytes %q", head)
}
