// Package wire is what the test clients share: connections that break where they are told to, client certificates
// made of any bytes, and the alert number out of an error.
package wire

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"time"
)

// ErrAborted is what a Conn returns once it broke on purpose.
var ErrAborted = errors.New("aborted on purpose")

// Conn counts, splits and breaks off.
type Conn struct {
	net.Conn
	Written, Received int64
	Flights           int
	AbortWritten      int64 // break off when this many bytes were written; -1: never
	AbortRead         int64 // ... or read
	AbortFlight       int   // break off instead of the n-th Write; 0: never
	Reset             bool  // break off with RST instead of FIN
	Split             int   // bytes a segment; 0: as they come
	Pause             time.Duration
	aborted           bool
}

// NewConn wraps c; nothing breaks yet.
func NewConn(c net.Conn) *Conn {
	return &Conn{Conn: c, AbortWritten: -1, AbortRead: -1}
}

// Aborted says whether the connection broke on purpose.
func (c *Conn) Aborted() bool {
	return c.aborted
}

// Abort breaks the connection off now.
func (c *Conn) Abort() error {
	if !c.aborted {
		c.aborted = true
		if t, ok := c.Conn.(*net.TCPConn); ok && c.Reset {
			t.SetLinger(0)
		}
		c.Conn.Close()
	}
	return ErrAborted
}

func (c *Conn) Write(b []byte) (int, error) {
	if c.aborted {
		return 0, ErrAborted
	}
	c.Flights++
	if c.AbortFlight > 0 && c.Flights >= c.AbortFlight {
		return 0, c.Abort()
	}
	cut := false
	if c.AbortWritten >= 0 && c.Written+int64(len(b)) >= c.AbortWritten {
		b = b[:c.AbortWritten-c.Written]
		cut = true
	}
	done := 0
	for done < len(b) {
		end := len(b)
		if c.Split > 0 && done+c.Split < end {
			end = done + c.Split
		}
		n, err := c.Conn.Write(b[done:end])
		done += n
		c.Written += int64(n)
		if err != nil {
			return done, err
		}
		if c.Pause > 0 {
			time.Sleep(c.Pause)
		}
	}
	if cut {
		return done, c.Abort()
	}
	return done, nil
}

func (c *Conn) Read(b []byte) (int, error) {
	if c.aborted {
		return 0, ErrAborted
	}
	if c.AbortRead >= 0 && c.Received+int64(len(b)) > c.AbortRead {
		b = b[:c.AbortRead-c.Received]
		if len(b) == 0 {
			return 0, c.Abort()
		}
	}
	n, err := c.Conn.Read(b)
	c.Received += int64(n)
	return n, err
}

// Dial opens HOST:PORT or unix:/path, from the address `source` if that is not empty.
func Dial(ctx context.Context, address, source string) (net.Conn, error) {
	if strings.HasPrefix(address, "unix:") {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(address, "unix:"))
	}
	d := net.Dialer{}
	if source != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(source)}
	}
	return d.DialContext(ctx, "tcp", address)
}

// Garbage signs with bytes that are no signature.
type Garbage struct{ crypto.Signer }

// Sign returns nonsense of a likely length.
func (g Garbage) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	b := make([]byte, 70)
	_, err := rand.Read(b)
	return b, err
}

// Certificate makes a client certificate of raw entries, which are not looked at, and a PKCS #8 key in PEM.
func Certificate(entries [][]byte, key []byte) (*tls.Certificate, error) {
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, errors.New("no PEM key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	return &tls.Certificate{Certificate: entries, PrivateKey: signer}, nil
}

// LoadRaw reads each file as one certificate entry.
func LoadRaw(files []string, key string) (*tls.Certificate, error) {
	var entries [][]byte
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		entries = append(entries, b)
	}
	k, err := os.ReadFile(key)
	if err != nil {
		return nil, err
	}
	return Certificate(entries, k)
}

// LoadPEM reads a chain; every block is an entry.
func LoadPEM(chain, key string) (*tls.Certificate, error) {
	b, err := os.ReadFile(chain)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		entries = append(entries, block.Bytes)
	}
	k, err := os.ReadFile(key)
	if err != nil {
		return nil, err
	}
	return Certificate(entries, k)
}

// Alert is the number of the alert that the peer sent, -1 if the error is none. The type of crypto/tls is private.
func Alert(err error) int {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		v := reflect.ValueOf(op.Err)
		if v.Kind() == reflect.Uint8 {
			return int(v.Uint())
		}
	}
	return -1
}

// Version reads "1.0" to "1.3"; empty is 0.
func Version(s string) (uint16, error) {
	versions := map[string]uint16{"": 0, "1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12,
		"1.3": tls.VersionTLS13}
	v, ok := versions[s]
	if !ok {
		return 0, fmt.Errorf("no TLS version %q", s)
	}
	return v, nil
}

// VersionName is the opposite of Version.
func VersionName(v uint16) string {
	names := map[uint16]string{tls.VersionTLS10: "1.0", tls.VersionTLS11: "1.1", tls.VersionTLS12: "1.2",
		tls.VersionTLS13: "1.3"}
	return names[v]
}
