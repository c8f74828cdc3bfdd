// probe is one TLS client connection, as good or as broken as its flags say, and one line of JSON about how it went.
//
// Exit code 0 whenever there is a result, whatever it says; 2 for wrong usage.
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"tlscribe.example/clients/wire"
)

type result struct {
	Connected   bool   `json:"connected"`
	Handshake   bool   `json:"handshake"`
	Version     string `json:"version"`
	Cipher      string `json:"cipher"`
	Alpn        string `json:"alpn"`
	Resumed     bool   `json:"resumed"`
	ServerKey   string `json:"server_key"`
	ServerSHA   string `json:"server_sha256"`
	Requested   bool   `json:"requested"` // a CertificateRequest came
	CANames     int    `json:"ca_names"`  // number of names in it
	Alert       int    `json:"alert"`     // number of the alert that came, -1
	Error       string `json:"error"`
	Aborted     bool   `json:"aborted"`
	Sent        int64  `json:"sent"`     // application bytes
	Received    int64  `json:"received"` // application bytes
	Echo        bool   `json:"echo"`     // what came back is what was sent
	EOF         bool   `json:"eof"`      // the other side ended orderly, with close_notify
	Text        string `json:"text"`     // what came back, up to 200 bytes
	ReceivedSHA string `json:"received_sha256"`
	Local       string `json:"local"`
	WireRead    int64  `json:"wire_read"`
}

var groups = map[string]tls.CurveID{"P-256": tls.CurveP256, "P-384": tls.CurveP384, "P-521": tls.CurveP521,
	"X25519": tls.X25519}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func suites(names []string) ([]uint16, error) {
	var ids []uint16
	for _, name := range names {
		found := false
		for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if s.Name == name {
				ids = append(ids, s.ID)
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("no cipher suite %q", name)
		}
	}
	return ids, nil
}

func usage(err error) {
	fmt.Fprintln(os.Stderr, "probe:", err)
	os.Exit(2)
}

func main() {
	addr := flag.String("addr", "", "HOST:PORT or unix:/path")
	source := flag.String("source", "", "address to come from")
	sni := flag.String("sni", "", "server name; empty: none is sent")
	min := flag.String("min", "1.2", "lowest TLS version")
	max := flag.String("max", "1.3", "highest TLS version")
	alpn := flag.String("alpn", "", "protocols, by comma")
	ciphers := flag.String("ciphers", "", "TLS 1.2 suites, by comma")
	curves := flag.String("groups", "", "groups, by comma")
	certPEM := flag.String("cert-pem", "", "client chain")
	certRaw := flag.String("cert-raw", "", "files, by comma, each one certificate entry of any bytes")
	key := flag.String("key", "", "PKCS #8 key in PEM")
	garbage := flag.Bool("garbage", false, "sign with nonsense")
	choose := flag.Bool("choose", false, "let the client choose by the CA names, as applications do")
	verify := flag.Bool("verify", false, "do not trust the server: sends an alert")
	abortWritten := flag.Int64("abort-written", -1, "break off after so many bytes written")
	abortRead := flag.Int64("abort-read", -1, "break off after so many bytes read")
	abortFlight := flag.Int("abort-flight", 0, "break off instead of the n-th flight")
	reset := flag.Bool("reset", false, "break off with RST")
	split := flag.Int("split", 0, "bytes a segment")
	pause := flag.Duration("pause", 0, "pause after each segment")
	payload := flag.String("payload", "", "text to send")
	size := flag.Int64("size", 0, "send so many bytes of a pattern")
	halfClose := flag.Bool("half-close", false, "send close_notify after the payload, then read to the end")
	readFirst := flag.Bool("read-first", false, "read to the end before anything is sent")
	toEnd := flag.Bool("to-end", false, "read to the end instead of as much as was sent")
	timeout := flag.Duration("timeout", 20*time.Second, "for all of it")
	flag.Parse()

	conf := &tls.Config{ServerName: *sni, InsecureSkipVerify: !*verify, NextProtos: list(*alpn)}
	var err error
	if conf.MinVersion, err = wire.Version(*min); err != nil {
		usage(err)
	}
	if conf.MaxVersion, err = wire.Version(*max); err != nil {
		usage(err)
	}
	if conf.CipherSuites, err = suites(list(*ciphers)); err != nil {
		usage(err)
	}
	for _, name := range list(*curves) {
		id, ok := groups[name]
		if !ok {
			usage(fmt.Errorf("no group %q", name))
		}
		conf.CurvePreferences = append(conf.CurvePreferences, id)
	}

	r := result{Alert: -1}
	var cert *tls.Certificate
	switch {
	case *certPEM != "":
		cert, err = wire.LoadPEM(*certPEM, *key)
	case *certRaw != "":
		cert, err = wire.LoadRaw(list(*certRaw), *key)
	}
	if err != nil {
		usage(err)
	}
	if cert != nil && *garbage {
		cert.PrivateKey = wire.Garbage{Signer: cert.PrivateKey.(crypto.Signer)}
	}
	conf.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		r.Requested = true
		r.CANames = len(info.AcceptableCAs)
		if cert == nil || *choose && info.SupportsCertificate(cert) != nil {
			return &tls.Certificate{}, nil
		}
		return cert, nil
	}

	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	raw, err := wire.Dial(ctx, *addr, *source)
	if err != nil {
		r.Error = err.Error()
		finish(&r)
	}
	r.Connected = true
	r.Local = raw.LocalAddr().String()
	deadline, _ := ctx.Deadline()
	raw.SetDeadline(deadline)
	conn := wire.NewConn(raw)
	conn.AbortWritten, conn.AbortRead, conn.AbortFlight = *abortWritten, *abortRead, *abortFlight
	conn.Reset, conn.Split, conn.Pause = *reset, *split, *pause

	client := tls.Client(conn, conf)
	err = client.Handshake()
	state := client.ConnectionState()
	r.Version = wire.VersionName(state.Version)
	if err == nil {
		r.Handshake = true
		r.Cipher = tls.CipherSuiteName(state.CipherSuite)
		r.Alpn = state.NegotiatedProtocol
		r.Resumed = state.DidResume
		leaf := state.PeerCertificates[0]
		r.ServerKey = leaf.PublicKeyAlgorithm.String()
		sum := sha256.Sum256(leaf.Raw)
		r.ServerSHA = strings.ToUpper(hex.EncodeToString(sum[:]))
		err = exchange(client, &r, body(*payload, *size), *halfClose, *readFirst, *toEnd)
	}
	if err != nil {
		r.Error = err.Error()
		r.Alert = wire.Alert(err)
	}
	r.Aborted = conn.Aborted()
	r.WireRead = conn.Received
	if !r.Aborted {
		client.Close()
	}
	finish(&r)
}

func finish(r *result) {
	json.NewEncoder(os.Stdout).Encode(r)
	os.Exit(0)
}

// body is what to send: the text, or `size` bytes of a pattern that does not repeat in step with any buffer.
func body(text string, size int64) []byte {
	if size == 0 {
		return []byte(text)
	}
	b := make([]byte, size)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func exchange(client *tls.Conn, r *result, out []byte, halfClose, readFirst, toEnd bool) error {
	got := &bytes.Buffer{}
	defer func() {
		r.Received = int64(got.Len())
		r.Echo = len(out) > 0 && bytes.Equal(got.Bytes(), out)
		sum := sha256.Sum256(got.Bytes())
		r.ReceivedSHA = hex.EncodeToString(sum[:])
		text := got.Bytes()
		if len(text) > 200 {
			text = text[:200]
		}
		r.Text = strings.ToValidUTF8(string(text), "?")
	}()

	if readFirst {
		if err := drain(client, got, -1, r); err != nil {
			return err
		}
	}
	sent := make(chan error, 1)
	go func() {
		n, err := client.Write(out)
		r.Sent = int64(n)
		if err == nil && halfClose {
			err = client.CloseWrite()
		}
		sent <- err
	}()
	var err error
	if !readFirst {
		want := int64(len(out))
		if toEnd || halfClose || want == 0 {
			want = -1
		}
		err = drain(client, got, want, r)
	}
	werr := <-sent
	/* What was read tells more: an alert, where the write only met a closed connection. */
	if err == nil || wire.Alert(err) == -1 && wire.Alert(werr) != -1 {
		if werr != nil && !(err == nil && r.EOF) {
			err = werr
		}
	}
	return err
}

// drain reads `want` bytes, or to the end if that is negative.
func drain(client *tls.Conn, got *bytes.Buffer, want int64, r *result) error {
	b := make([]byte, 65536)
	for want < 0 || int64(got.Len()) < want {
		n, err := client.Read(b)
		got.Write(b[:n])
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			r.EOF = true
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
