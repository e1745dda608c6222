package session

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// TLSFiles are files in PEM format with the certificates for TLS. They are read at [Open], and
// again for each new connection, so that they can be replaced without a restart. Existing
// connections keep the certificates that they began with. If the files cannot be read any more, or
// do not match, the certificates that were read last stay in use. [Status.TLSFiles] and a line in
// the log report that. Replace a file by a rename, so that nobody reads half of it.
type TLSFiles struct {
	// Authorities has the certificates of the authorities that issue the servers' certificates.
	// Default: those of Config.TLS, or else those of the system.
	Authorities string
	// Certificate and Key are the client's own, for servers that ask for a certificate. The
	// certificates of intermediate authorities follow the client's own. Both may be one file.
	// Default: those of Config.TLS.
	Certificate, Key string
}

// check reports whether any file is set, and refuses a certificate without its key.
func (f TLSFiles) check() (any bool, err error) {
	if (f.Certificate == "") != (f.Key == "") {
		return false, fmt.Errorf("session: Config.TLSFiles has the certificate %q and the key %q; want both or none", f.Certificate, f.Key)
	}
	return f != TLSFiles{}, nil
}

// read returns a copy of base with what is in the files now.
func (f TLSFiles) read(base *tls.Config) (*tls.Config, error) {
	cfg := base.Clone()
	if f.Authorities != "" {
		text, err := os.ReadFile(f.Authorities)
		if err != nil {
			return nil, err
		}
		if cfg.RootCAs, err = authorities(text); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Authorities, err)
		}
	}
	if f.Certificate == "" {
		return cfg, nil
	}
	certificate, err := os.ReadFile(f.Certificate)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(f.Key)
	if err != nil {
		return nil, err
	}
	own, err := tls.X509KeyPair(certificate, key)
	if err == nil {
		_, err = certificates(certificate) // none of the others may be cut short
	}
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", f.Certificate, f.Key, err)
	}
	cfg.Certificates, cfg.GetClientCertificate = []tls.Certificate{own}, nil
	return cfg, nil
}

func authorities(text []byte) (*x509.CertPool, error) {
	all, err := certificates(text)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, cert := range all {
		pool.AddCert(cert)
	}
	return pool, nil
}

// certificates reads all certificates of a text in PEM format. It is stricter than the standard
// library, which skips what it cannot read: then an authority could be missing without a sign.
func certificates(text []byte) (all []*x509.Certificate, err error) {
	begun := bytes.Count(text, []byte("-----BEGIN "))
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		begun--
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, cert)
	}
	switch {
	case begun != 0:
		return nil, errors.New("it is cut short, or broken")
	case len(all) == 0:
		return nil, errors.New("no certificate is in it")
	}
	return all, nil
}

// certs are the certificates of a client.
type certs struct {
	files TLSFiles
	base  *tls.Config // a copy of the client's own
	log   *slog.Logger

	mu   sync.Mutex // guards what follows, and one reading at a time
	last *tls.Config
	err  error // why the files cannot be read in their present form
}

// newCerts returns nil if the client does not use TLS.
func newCerts(cfg *Config) (*certs, error) {
	any, err := cfg.TLSFiles.check()
	if err != nil || !any && cfg.TLS == nil {
		return nil, err
	}
	c := &certs{files: cfg.TLSFiles, base: cmp.Or(cfg.TLS, &tls.Config{}).Clone(), log: cfg.Logger}
	if c.last, err = c.files.read(c.base); err != nil {
		return nil, fmt.Errorf("session: Config.TLSFiles: %w", err)
	}
	return c, nil
}

// current returns the configuration for a connection. If it returns an error, the configuration is
// an older one.
func (c *certs) current() (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cfg, err := c.files.read(c.base)
	if err == nil {
		c.last, c.err = cfg, nil
		return cfg, nil
	}
	err = fmt.Errorf("the TLS files cannot be read as they are now: %w", err)
	if c.err == nil || c.err.Error() != err.Error() { // not for each connection
		c.log.Warn("the TLS files cannot be read, so the former ones are used", "err", err)
	}
	c.err = err
	return c.last, err
}

// broken returns why the last attempt to read the files failed, or nil.
func (c *certs) broken() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
