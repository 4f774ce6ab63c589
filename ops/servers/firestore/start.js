// Serves the emulator of @firestore-emulator/server on the port PORT of 127.0.0.1, or of HOST. Its own `start` listens on every address.
const { FirestoreServer } = require('@firestore-emulator/server');
const { ServerCredentials } = require('@grpc/grpc-js');

const address = `${process.env.HOST ?? '127.0.0.1'}:${process.env.PORT}`;
new FirestoreServer().server.bindAsync(address, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log(`listening on ${address}`);
});
// It throws outside its handlers when a client goes away in the middle; that client's call is lost, and nothing else.
process.on('uncaughtException', (error) => console.log(`uncaught: ${error.stack}`));
