package kerberos_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/sasl/kerberos"
)

// two starts two servers, each with a principal of its own: zookeeper/zk1.test on 127.0.0.1, and
// zookeeper/zk2.test on 127.0.0.2.
func two(t *testing.T, k *kdc) *ensemble.Ensemble {
	return servers(t, k, func(cfg *ensemble.Config) {
		cfg.Servers = 2
		cfg.Host = func(i int) string { return fmt.Sprintf("127.0.0.%d", i+1) }
		for i := range 2 {
			name := fmt.Sprintf("zookeeper/zk%d.test", i+1)
			k.write(fmt.Sprintf("jaas%d.conf", i), fmt.Sprintf(jaas, k.add(name), name))
		}
		cfg.Wrap = func(i int, argv []string) []string {
			own := "-Djava.security.auth.login.config=" + k.file(fmt.Sprintf("jaas%d.conf", i))
			last := len(argv) - 2 // the class and its argument
			return append(append(append([]string{}, argv[:last]...), own), argv[last:]...)
		}
	})
}

// byName dials zk1.test and zk2.test. No name server knows these names.
func byName(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	host = map[string]string{"zk1.test": "127.0.0.1", "zk2.test": "127.0.0.2"}[host]
	return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(host, port))
}

func TestEachServerHasAPrincipalOfItsOwn(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := two(t, k)
	keytab := k.add("ann")
	with := func(host func(string) string) *kerberos.Login {
		return login(t, kerberos.Config{Principal: "ann", Keytab: keytab, Conf: k.file("krb5.conf"), Host: host})
	}
	mapped := with(func(host string) string {
		return map[string]string{"127.0.0.1": "zk1.test", "127.0.0.2": "zk2.test"}[host]
	})
	named := with(nil)
	for i, addr := range e.Addrs() {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		established(t, open(t, addr, mapped.SASL))
		name := fmt.Sprintf("zk%d.test:%s", i+1, port)
		established(t, openWith(t, name, session.Config{SASL: named.SASL, Dial: byName}))
	}
	// The other server's principal is refused, although the KDC knows it.
	crossed := with(func(host string) string {
		return map[string]string{"127.0.0.1": "zk2.test", "127.0.0.2": "zk1.test"}[host]
	})
	client := open(t, e.ConnectString(), crossed.SASL)
	if _, err := client.Session(within(t, 3*time.Minute)); !errors.Is(err, session.ErrAuthFailed) {
		t.Errorf("tickets for the other server: %v", err)
	}
	// So is one that the KDC does not know. That may be repaired, so the client goes on.
	unknown := with(func(host string) string { return "zk9.test" })
	says(t, open(t, e.Addrs()[0], unknown.SASL), "the KDC does not know this server by the name in the connect string")
}

// Two users log in at the same time, again and again. Neither gets the other's identity.
func TestTwoUsersAtATimeStayThemselves(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	ctx := within(t, 3*time.Minute)
	const each = 10
	sessions := map[string]*session.Session{}
	var all sync.WaitGroup
	for _, user := range []string{"ann", "bob"} {
		l := login(t, kerberos.Config{Principal: user, Keytab: k.add(user), Conf: k.file("krb5.conf")})
		sessions[user] = established(t, open(t, connect(e), l.SASL))
		for i := range each {
			client := open(t, connect(e), l.SASL)
			all.Go(func() {
				s, err := client.Session(ctx)
				if err == nil {
					err = s.EnsurePath(ctx, fmt.Sprintf("/%s-%d", user, i), nil)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	for user, s := range sessions {
		for _, owner := range []string{"ann", "bob"} {
			for i := range each {
				path := fmt.Sprintf("/%s-%d", owner, i)
				_, _, err := s.Get(ctx, path)
				if refused := errors.Is(err, zk.ErrNoAuth); refused == (user == owner) || err != nil && !refused {
					t.Errorf("%s reads %s: %v", user, path, err)
				}
			}
		}
	}
}

func TestAServerThatDemandsSASLServesNobodyWithoutIt(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k)
	s := established(t, open(t, connect(e), nil)) // the handshake says nothing
	if err := s.EnsurePath(within(t, 3*time.Minute), "/x", nil); err == nil {
		t.Error("a client without a principal creates a znode")
	} else {
		t.Log(err)
	}
}

// A server that accepts everybody must not be taken for one that has checked a ticket.
func TestAServerThatChecksNoTicketIsNotUsed(t *testing.T) {
	t.Parallel()
	k := realm(t)
	keytab := k.add("ann")
	login := login(t, kerberos.Config{Principal: "ann", Keytab: keytab, Conf: k.file("krb5.conf")})
	for name, with := range map[string]func(*ensemble.Config){
		"knows no SASL": func(cfg *ensemble.Config) { cfg.JVM = nil },
		"has the key of another": func(cfg *ensemble.Config) {
			k.write("other.conf", fmt.Sprintf(jaas, k.add("zookeeper/other"), "zookeeper/other"))
			cfg.JVM = append(cfg.JVM[1:], "-Djava.security.auth.login.config="+k.file("other.conf"),
				"-Dzookeeper.allowSaslFailedClients=true", "-Dzookeeper.sessionRequireClientSASLAuth=false")
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := open(t, connect(servers(t, k, with)), login.SASL)
			says(t, client, "the server has not proved who it is")
			if s, err := client.Session(within(t, time.Second)); err == nil {
				t.Errorf("a session that is not authenticated: %v", s)
			}
		})
	}
}

func TestTheServersMayHaveAnotherServiceName(t *testing.T) {
	t.Parallel()
	k := realm(t)
	e := servers(t, k, func(*ensemble.Config) {
		k.write("jaas.conf", fmt.Sprintf(jaas, k.add("zoo/localhost"), "zoo/localhost"))
	})
	l := login(t, kerberos.Config{Principal: "ann", Keytab: k.add("ann"), Conf: k.file("krb5.conf"), Service: "zoo"})
	established(t, open(t, connect(e), l.SASL))
}
