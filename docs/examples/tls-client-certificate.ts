/**
 * TLS, with a certificate in place of a password: `tls-client-certificate.ts HOST PORT CA CERT KEY`, the last three PEM
 * files. The server needs the plugin rabbitmq_auth_mechanism_ssl, and a user that is named as the certificate says.
 */

import { connect, external } from "@leveret/node";

const [host = "localhost", port = "5671", caFile, certFile, keyFile] = process.argv.slice(2);

const connection = await connect({
  host,
  port: Number(port),
  tls: { caFile, certFile, keyFile }, // caFile: whom to trust; without it, whom the system trusts
  credentials: external(),
});

console.log(`logged in with ${connection.negotiated.mechanism}`);
await connection.close();
