package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/clock"
)

// script has the token to send after each answer. The exchange is done when all are sent.
type script struct {
	tokens  []string
	heard   []string
	refused int // how often it was told so
}

func (s *script) Refused() { s.refused++ }

func (s *script) Next(challenge []byte) ([]byte, bool, error) {
	if challenge == nil && len(s.heard) > 0 {
		return nil, false, errors.New("no token")
	}
	s.heard = append(s.heard, string(challenge))
	if len(s.tokens) == 0 {
		return nil, true, nil
	}
	token := s.tokens[0]
	s.tokens = s.tokens[1:]
	return []byte(token), false, nil
}

// authenticated lets a server answer a handshake, and each token with the next of answers. A nil
// answer closes the connection. It returns the two ends, the tokens that the server has received,
// and the client's error.
func authenticated(t *testing.T, x Exchange, answers ...[]byte) (e *ends, got []string, err error) {
	t.Helper()
	e = pair(t)
	e.conn.creds.SASL = x
	e.request(framed(make([]byte, 44)))
	tokens := make(chan string, 100)
	go func() {
		defer close(tokens)
		if _, err := e.server.Write(connected(7, 6*time.Second)); err != nil {
			return
		}
		for _, answer := range answers {
			frame, err := readFrame(e.server)
			if err != nil {
				return
			}
			tokens <- string(frame[lengthSize+12:])
			if answer == nil {
				e.server.Close()
				return
			}
			if _, err := e.server.Write(answer); err != nil {
				return
			}
		}
	}()
	_, err = readFrame(e.conn) // what zk does
	e.server.Close()
	for token := range tokens {
		got = append(got, token)
	}
	return e, got, err
}

func token(text string) []byte { return reply(xidSASL, 0, str(nil, text)) }

func TestAnExchangeIsOverBeforeZKSeesTheHandshake(t *testing.T) {
	x := &script{tokens: []string{"", "response"}}
	e, got, err := authenticated(t, x, token("challenge"), token("proof"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"", "response"}; !slices.Equal(got, want) {
		t.Errorf("sent %q", got)
	}
	if want := []string{"", "challenge", "proof"}; !slices.Equal(x.heard, want) {
		t.Errorf("heard %q", x.heard)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.answered) != 0 {
		t.Error("a token counts as an answer to zk")
	}
}

func TestWhatEndsAnExchange(t *testing.T) {
	for name, c := range map[string]struct {
		answer  []byte
		says    string
		refused bool
	}{
		"refused":           {reply(xidSASL, codeAuthFailed, nil), "-115", true},
		"refused for all":   {reply(xidSASL, codeSASLRequired, nil), "-124", true},
		"another error":     {reply(xidSASL, -4, nil), "error -4", false},
		"closed":            {nil, "closed without an answer", false},
		"another's reply":   {reply(1, 0, str(nil, "x")), "reply to request 1", false},
		"no token":          {reply(xidSASL, 0, ints(nil, -1)), "no token", false},
		"no body":           {reply(xidSASL, 0, nil), "without a token", false},
		"too short a token": {reply(xidSASL, 0, ints(nil, 9)), "token of 9 bytes", false},
		"too long":          {ints(nil, maxSASLFrame+1), "frame of", false},
		"too short":         {framed(make([]byte, headerSize-1)), "frame of", false},
	} {
		t.Run(name, func(t *testing.T) {
			x := &script{tokens: []string{"", "response"}}
			_, _, err := authenticated(t, x, c.answer)
			if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, ErrRefused) != c.refused {
				t.Errorf("err = %v; want %q", err, c.says)
			}
			if told := x.refused == 1; told != c.refused || x.refused > 1 {
				t.Errorf("the exchange was told of %d refusals", x.refused)
			}
		})
	}
}

// endless is an exchange that never ends.
type endless struct{}

func (endless) Next([]byte) ([]byte, bool, error) { return []byte("more"), false, nil }

func TestAnExchangeWithoutEndIsEnded(t *testing.T) {
	var answers [][]byte
	for range maxSASLRounds + 5 {
		answers = append(answers, token("more"))
	}
	_, got, err := authenticated(t, endless{}, answers...)
	if err == nil || len(got) != maxSASLRounds {
		t.Errorf("%d tokens, then %v", len(got), err)
	}
}

func TestASilentServerEndsAnExchangeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that the time does not pass before the request is made
		e := pair(t)
		e.conn = New(e.conn.net, time.Now().Add(50*time.Millisecond), 0, clock.System, Credentials{SASL: endless{}}, e.hooks())
		e.request(framed(make([]byte, 44)))
		go e.server.Write(connected(7, 6*time.Second))
		go readFrame(e.server) // the token, and no answer to it
		if _, err := readFrame(e.conn); err == nil {
			t.Error("the exchange goes on")
		}
	})
}

func FuzzSASL(f *testing.F) {
	f.Add(token("challenge")[lengthSize:])
	f.Add(reply(xidSASL, codeAuthFailed, nil)[lengthSize:])
	f.Fuzz(func(t *testing.T, p []byte) {
		got, err := parseSASL(p)
		if err == nil && len(got)+headerSize+4 > len(p) {
			t.Errorf("a token of %d bytes in %d", len(got), len(p))
		}
	})
}
