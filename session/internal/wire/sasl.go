package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// An Exchange is the client's side of a SASL authentication.
type Exchange interface {
	Next(challenge []byte) (token []byte, done bool, err error)
}

// ErrRefused is wrapped by the error of a server that does not accept the client.
var ErrRefused = errors.New("SASL authentication refused")

// Error codes of org.apache.zookeeper.KeeperException.Code that end an exchange.
const (
	codeAuthFailed   = -115
	codeSASLRequired = -124
)

const (
	maxSASLRounds = 10
	maxSASLFrame  = 64 << 10
)

// authenticate completes the exchange before zk has seen the answer to its handshake, so zk sends
// nothing meanwhile. The handshake's deadline bounds it. Frames:
// org.apache.zookeeper.proto.GetSASLRequest and SetSASLResponse.
func (c *Conn) authenticate() error {
	var challenge []byte
	for range maxSASLRounds {
		token, done, err := c.creds.SASL.Next(challenge)
		if err != nil {
			return fmt.Errorf("SASL: %w", err)
		}
		if done {
			return nil
		}
		if _, err := c.net.Write(saslFrame(token)); err != nil {
			return err
		}
		if challenge, err = c.readSASL(); err != nil {
			if x, ok := c.creds.SASL.(interface{ Refused() }); ok && errors.Is(err, ErrRefused) {
				x.Refused()
			}
			return err
		}
	}
	return fmt.Errorf("SASL: not authenticated after %d tokens", maxSASLRounds)
}

func saslFrame(token []byte) []byte {
	xid := int32(xidSASL)
	p := make([]byte, lengthSize, lengthSize+12+len(token))
	p = binary.BigEndian.AppendUint32(p, uint32(xid))
	p = binary.BigEndian.AppendUint32(p, opSASL)
	p = binary.BigEndian.AppendUint32(p, uint32(len(token)))
	p = append(p, token...)
	binary.BigEndian.PutUint32(p, uint32(len(p)-lengthSize))
	return p
}

// readSASL returns the token in the server's answer, or nil if it has none.
func (c *Conn) readSASL() ([]byte, error) {
	size := make([]byte, lengthSize)
	if _, err := io.ReadFull(c.in, size); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("SASL: closed without an answer: ZooKeeper 3.4 refuses so, and a server that is going down ends so, too")
		}
		return nil, err
	}
	length := int(int32(binary.BigEndian.Uint32(size)))
	if length < headerSize || length > maxSASLFrame {
		return nil, fmt.Errorf("%w: SASL frame of %d bytes", ErrProtocol, length)
	}
	p := make([]byte, length)
	if _, err := io.ReadFull(c.in, p); err != nil {
		return nil, err
	}
	return parseSASL(p)
}

// parseSASL reads an answer without its length.
func parseSASL(p []byte) ([]byte, error) {
	if len(p) < headerSize {
		return nil, fmt.Errorf("%w: SASL answer of %d bytes", ErrProtocol, len(p))
	}
	if xid := int32(binary.BigEndian.Uint32(p)); xid != xidSASL {
		return nil, fmt.Errorf("%w: reply to request %d in the SASL exchange", ErrProtocol, xid)
	}
	switch code := int32(binary.BigEndian.Uint32(p[12:])); code {
	case 0:
	case codeAuthFailed, codeSASLRequired:
		return nil, fmt.Errorf("%w (error %d)", ErrRefused, code)
	default:
		return nil, fmt.Errorf("SASL: the server answers with error %d", code)
	}
	body := p[headerSize:]
	if len(body) < 4 {
		return nil, fmt.Errorf("%w: SASL answer without a token", ErrProtocol)
	}
	switch n := int(int32(binary.BigEndian.Uint32(body))); {
	case n == -1:
		return nil, nil
	case n < 0 || n != len(body)-4:
		return nil, fmt.Errorf("%w: SASL token of %d bytes in a frame of %d", ErrProtocol, n, len(p))
	}
	return body[4:], nil
}
