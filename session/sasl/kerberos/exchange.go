package kerberos

import (
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

// exchange is the client's side of GSSAPI, RFC 4752 section 3.1: we send a ticket, the server
// offers security layers, and we choose none.
type exchange struct {
	login  *Login
	ticket *ticket
	step   int
}

// Next takes the server's message and returns the answer to it.
func (x *exchange) Next(challenge []byte) (token []byte, done bool, err error) {
	x.step++
	switch x.step {
	case 1:
		x.login.presented(x.ticket)
		err = guard(func() error { token, err = x.present(); return err })
	case 2:
		err = guard(func() error { token, err = x.choose(challenge); return err })
		if err == nil {
			x.login.accepted(x.ticket)
		}
	case 3:
		if challenge != nil {
			return nil, false, fmt.Errorf("GSSAPI: the server goes on with %d bytes when all is said", len(challenge))
		}
		return nil, true, nil
	default:
		err = errors.New("GSSAPI: the exchange is over")
	}
	return token, false, err
}

// Refused notes that the server does not accept the ticket. A session calls it.
func (x *exchange) Refused() { x.login.refused(x.ticket) }

// present sends the ticket. It does not ask for mutual authentication: the server would answer with
// a token that the library cannot check. The server's next token proves the same.
func (x *exchange) present() ([]byte, error) {
	as := &client.Client{Credentials: x.ticket.of.creds}
	t, err := spnego.NewKRB5TokenAPREQ(as, x.ticket.ticket, x.ticket.key, []int{gssapi.ContextFlagInteg}, nil)
	if err != nil {
		return nil, fmt.Errorf("GSSAPI: %w", err)
	}
	return t.Marshal()
}

// noLayer stands for no security layer in RFC 4752.
const noLayer = 1

// choose checks the server's offer, which only the holder of the server's key can make, and answers
// it.
func (x *exchange) choose(challenge []byte) ([]byte, error) {
	if challenge == nil {
		return nil, errors.New("GSSAPI: the server has not proved who it is: it has no JAAS configuration, or lets clients in that it does not know")
	}
	var offer gssapi.WrapToken
	if err := offer.Unmarshal(challenge, true); err != nil {
		return nil, fmt.Errorf("GSSAPI: %w", err)
	}
	if ok, _ := offer.Verify(x.ticket.key, keyusage.GSSAPI_ACCEPTOR_SEAL); !ok { // the error contains the right checksum
		return nil, errors.New("GSSAPI: the server does not have the key of its principal")
	}
	if len(offer.Payload) != 4 || offer.Payload[0]&noLayer == 0 {
		return nil, fmt.Errorf("GSSAPI: the server offers the layers %.8x; want one without a security layer", offer.Payload)
	}
	answer, err := gssapi.NewInitiatorWrapToken([]byte{noLayer, 0, 0, 0}, x.ticket.key)
	if err != nil {
		return nil, fmt.Errorf("GSSAPI: %w", err)
	}
	return answer.Marshal()
}
