package session_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// counted counts what an exchange sends.
type counted struct {
	session.SASLExchange
	tokens *int
}

func (c counted) Next(challenge []byte) (token []byte, done bool, err error) {
	token, done, err = c.SASLExchange.Next(challenge)
	if err == nil && !done {
		*c.tokens++
	}
	return token, done, err
}

// The servers know a user, and the znodes of the user's sessions are for that user alone.
func ExampleSASL() {
	servers, err := zktest.New(zktest.Config{Users: map[string]string{"ann": "secret"}})
	if err != nil {
		log.Fatal(err)
	}
	defer servers.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	tokens := 0
	digest := session.SASLDigest("ann", "secret")
	var sasl session.SASL = func(ctx context.Context, server string) (session.SASLExchange, error) {
		exchange, err := digest(ctx, server)
		return counted{exchange, &tokens}, err
	}
	client, err := session.Open(servers.ConnectString(), session.Config{SASL: sasl})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	s, err := client.Session(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.EnsurePath(ctx, "/anns", nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tokens, "tokens")

	nobody, err := session.Open(servers.ConnectString(), session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer nobody.Close()
	if s, err = nobody.Session(ctx); err != nil {
		log.Fatal(err)
	}
	_, _, err = s.Get(ctx, "/anns")
	fmt.Println(err)
	// Output:
	// 2 tokens
	// session: getData /anns: zk: not authenticated (it takes READ on it)
}
