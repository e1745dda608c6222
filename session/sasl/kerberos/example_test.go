package kerberos_test

import (
	"context"
	"log"
	"log/slog"

	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/sasl/kerberos"
)

// A candidate in a cluster with Kerberos. It needs a KDC and servers that trust it.
func Example() {
	login, err := kerberos.New(kerberos.Config{
		Principal: "billing@EXAMPLE.COM",
		Keytab:    "/etc/billing.keytab",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer login.Close()
	client, err := session.Open("zk1.example.com:2181,zk2.example.com:2181,zk3.example.com:2181/billing", session.Config{
		SASL:     login.SASL,
		TLSFiles: session.TLSFiles{Authorities: "/etc/zookeeper/ca.pem"},
		Logger:   slog.Default(),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	el, err := election.New(client, "/leader", election.Config{})
	if err != nil {
		log.Fatal(err)
	}
	err = el.Run(context.Background(), func(ctx context.Context, term *election.Term) error {
		<-ctx.Done() // lead until the term ends
		return nil
	})
	log.Fatal(err)
}
