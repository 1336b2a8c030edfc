"""web3, unmodified: calls to an Ethereum node, and the blocks to which it subscribes."""

import asyncio
import json

from servers import ping, serving, whose
from web3 import AsyncWeb3, WebSocketProvider
from web3.exceptions import Web3RPCError
from websockets.exceptions import ConnectionClosed

# It tells of a reconnection as of an error.
WebSocketProvider.logger.disabled = True


class Node:
    """Closes its first connection after three blocks."""

    def __init__(self):
        self.visits = 0

    def answer(self, order):
        results = {"eth_chainId": "0x1", "eth_blockNumber": "0x2a", "eth_subscribe": "0xf"}
        results["eth_unsubscribe"] = True
        answer = {"jsonrpc": "2.0", "id": order["id"]}
        if order["method"] in results:
            return answer | {"result": results[order["method"]]}
        return answer | {"error": {"code": -32601, "message": "no " + order["method"]}}

    async def serve(self, ws):
        self.visits += 1
        async for message in ws:
            order = json.loads(message)
            # web3 notes who has asked after it has sent that: a node is not as near as this one.
            await asyncio.sleep(0.05)
            await ws.send(json.dumps(self.answer(order)))
            if order["method"] != "eth_subscribe":
                continue
            await ping(ws)
            for number in range(3):
                block = {"number": hex(number), "extraData": "0x" + "ab" * 32}
                params = {"subscription": "0xf", "result": block}
                notice = {"jsonrpc": "2.0", "method": "eth_subscription", "params": params}
                await ws.send(json.dumps(notice))
            if self.visits == 1:
                await ws.close(1012, "restart")
                return


async def main():
    node = Node()
    async with serving(node.serve) as server:
        async for w3 in AsyncWeb3(WebSocketProvider(server.url, use_text_frames=node.visits > 0)):
            print(whose(w3.provider._ws), await w3.is_connected())
            print(await w3.eth.chain_id, await w3.eth.block_number)
            try:
                await w3.eth.gas_price
            except Web3RPCError as error:
                print(error.message)
            name = await w3.eth.subscribe("newHeads")
            blocks = 0
            try:
                async for notice in w3.socket.process_subscriptions():
                    print(notice["result"]["number"], len(notice["result"]["extraData"]))
                    blocks += 1
                    if blocks == 3 and node.visits == 2:
                        break
            except ConnectionClosed as error:
                print(error, await w3.is_connected())
                print(await server.ending())
                continue
            print(await w3.eth.unsubscribe(name))
            break
        await w3.provider.disconnect()
        print(await server.ending(), await w3.is_connected())
