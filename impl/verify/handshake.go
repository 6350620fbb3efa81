package verify

import (
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455 has it so
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"parley/impl/contract"
)

// handshake asks for a WebSocket, closes it when it has come, and asks once more without wanting one.
func (r *run) handshake(op *contract.Operation, values map[string]string) {
	const upgrade, plain = "handshake", "a request that wants no WebSocket"
	if r.ctx.Err() != nil {
		return
	}
	request, err := r.request(op, values, nil, "", nil)
	if err != nil {
		r.leave(op, upgrade, 0, causeExample, err.Error(), 0)
		return
	}
	r.keepNothing(op, request)
	if !r.settled[caseName(op, upgrade)] {
		r.upgrade(op, upgrade, request)
	}
	if op.Responses.Status(http.StatusUpgradeRequired) != nil && !r.settled[caseName(op, plain)] {
		r.send(op, plain, request.Clone(r.ctx), http.StatusUpgradeRequired)
	}
}

// keepNothing sets the switches of a handshake as the document shows them: what it opens has nothing to store.
func (r *run) keepNothing(op *contract.Operation, request *http.Request) {
	query := request.URL.Query()
	for _, p := range op.Params {
		if set, ok := exampleOf(p.Value).(bool); ok && p.Value.In == "query" && !r.Disposable {
			query.Set(p.Value.Name, fmt.Sprint(set))
		}
	}
	request.URL.RawQuery = query.Encode()
}

// upgrade asks for a WebSocket and closes it.
func (r *run) upgrade(op *contract.Operation, name string, plain *http.Request) {
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	request := plain.Clone(ctx)
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // it never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	for header, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
	} {
		request.Header.Set(header, value)
	}
	started := time.Now()
	response, err := r.HTTP.Do(request) //nolint:bodyclose // hangUp closes it
	if err != nil {
		r.settle(op, name, 0, Failed, "no answer: "+err.Error(), time.Since(started))
		return
	}
	body, err := hangUp(response)
	took := time.Since(started)
	broken := r.check(op, request, response.StatusCode, response.Header, body, true)
	if response.StatusCode == http.StatusSwitchingProtocols && response.Header.Get("Sec-WebSocket-Accept") != accepted(key) {
		broken = errors.Join(broken, errors.New("the header Sec-WebSocket-Accept does not answer the key"))
	}
	r.judge(op, name, response.StatusCode, body, errors.Join(broken, err), "", "", []int{http.StatusSwitchingProtocols}, true, took)
}

// hangUp closes a WebSocket, or reads the answer that stands in its place.
func hangUp(response *http.Response) ([]byte, error) {
	defer func() { _ = response.Body.Close() }() // nothing more is wanted
	socket, ok := response.Body.(io.Writer)
	if response.StatusCode != http.StatusSwitchingProtocols || !ok {
		return io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	}
	_, err := socket.Write([]byte{0x88, 0x80, 0, 0, 0, 0}) // a closing frame without a reason, masked by zeros
	return nil, err
}

// accepted is what a server answers to the key of a handshake (RFC 6455, section 4.2.2).
func accepted(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455 has it so
	return base64.StdEncoding.EncodeToString(sum[:])
}
