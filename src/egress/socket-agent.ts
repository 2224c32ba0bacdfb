/**
 * Hands `node:http` the one socket it is to use; keeping that socket alive or closing it is its owner's
 * business. An Agent because ClientRequest asks for one; it opens nothing itself.
 */
import { Agent } from 'node:http';
import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';

export class SocketAgent extends Agent {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super({ keepAlive: true });
    this.#socket = socket;
  }

  /** Called by ClientRequest: the whole of what it asks of an agent. */
  addRequest(request: ClientRequest): void {
    request.onSocket(this.#socket);
  }
}
