/** The broker on Node's sockets. */

export { type ListeningBroker, listenBroker, type ListenOptions, type ListenTls } from "./listen.ts";
